"""Augmentation: random views of a sample, one file a kind of sample."""
