"""Distillation: students, and the adapters between their features and the teacher's."""
