"""Changes to a TFLite file after the converter wrote it."""
