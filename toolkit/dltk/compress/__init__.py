"""The compression steps and their order; nothing else (floor 6)."""
