"""What `export` reads of a run, proves, and writes into a bundle."""
