"""Augmentation: random views of a sample, one file per kind of sample."""
