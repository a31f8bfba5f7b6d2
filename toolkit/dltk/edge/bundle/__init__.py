"""What a bundle is: its manifest, hashes and seal, the signature of its model, and its arrays."""
