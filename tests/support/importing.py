"""The folders that the tests' helpers are imported from: setup.cfg lists them for pytest, and this for everybody else.

Scripts and benchmarks put them on their own path; child processes get them with their environment.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path

__all__ = ["environment", "folders", "reach"]

_ROOT = Path(__file__).resolve().parents[2]


def folders() -> list[str]:
    """The folders, as absolute paths."""
    setup = configparser.ConfigParser()
    setup.read(_ROOT / "setup.cfg")
    return [str(_ROOT / folder) for folder in setup["tool:pytest"]["pythonpath"].split()]


def reach() -> None:
    """Put those on `sys.path` that are not there yet, behind all others."""
    sys.path += [folder for folder in folders() if folder not in sys.path]


def environment(**changes: str) -> dict[str, str]:
    """Of a child process that can import what this one can, dltk and the tests' helpers among it."""
    paths = dict.fromkeys([*filter(None, sys.path), *folders()])
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | changes
