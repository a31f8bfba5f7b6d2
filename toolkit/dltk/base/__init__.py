"""The basement: errors, files, progress, processes. Standard library only."""
