"""Small data sets that dltk generates, one per kind of data, in the layout that its recipes read."""
