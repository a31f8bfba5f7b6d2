"""Backbones: a table of facts, where their weights come from, how they are built, what their layers cost."""
