"""Sizes of a model's input that the data decides: of images, recordings and texts."""
