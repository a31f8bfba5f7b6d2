"""Texts from files: lines and columns (`read`), and labelled texts of tables and folders (`listing`)."""
