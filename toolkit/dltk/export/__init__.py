"""Candidate -> bytes: one module a format (floor 7)."""
