"""Images from files: decoded, checked, resized."""
