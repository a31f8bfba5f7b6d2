"""What dltk would read of data, before anything is trained: `inspect` asks each recipe's own preparation."""

from __future__ import annotations

from dltk.inspection.found import Attempt, Found
from dltk.inspection.inspect import inspect

__all__ = ["Attempt", "Found", "inspect"]
