"""Pretrained backbones: the table, how one is built, and where its weights come from."""
