"""Quantization-aware training: layers that round as the artifact will, and training through them."""
