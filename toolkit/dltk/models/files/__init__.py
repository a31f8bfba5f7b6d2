"""Keras model files: checked, opened, saved."""
