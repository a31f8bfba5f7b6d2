"""The trainers, one file a kind of learning, and what only they use."""
