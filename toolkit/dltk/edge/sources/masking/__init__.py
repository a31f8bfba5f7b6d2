"""Masks: where they lie, how their files are decoded, and which value of a pixel is which class."""
