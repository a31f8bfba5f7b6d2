"""The analysis of a run for its report: each step, each layer, and the commands that help."""
