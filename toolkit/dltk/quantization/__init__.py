"""Integers for real numbers: which layers get them, in which ranges, and what makes up for the error."""
