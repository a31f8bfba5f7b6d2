"""What the tests know of the commands in messages."""

from __future__ import annotations

import re

__all__ = ["COMMAND"]

COMMAND = re.compile(r"`([^`]*pip install [^`]+)`")
