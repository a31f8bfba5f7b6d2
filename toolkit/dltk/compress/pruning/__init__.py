"""Pruning: masks, the dependency graph of channels, importance, choice, surgery."""
