"""One reader a kind of sample."""
