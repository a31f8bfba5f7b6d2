"""Limits, sensitivity, search and the Pareto front (floor 9): propose, emit, measure, decide."""
