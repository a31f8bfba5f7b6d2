"""The trainers, one file per kind of training, and what only they use."""
