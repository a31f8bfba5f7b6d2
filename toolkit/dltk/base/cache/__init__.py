"""The cache on disk: where it is, what it holds, how an entry gets in."""
