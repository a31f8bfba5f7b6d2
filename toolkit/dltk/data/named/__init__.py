"""Data that is known by name: where it lies, and how it is loaded."""
