"""The cache on disk: its folder, its contents, and how entries are written."""
