"""The bundles that every target is held to: small, real, of several families and all precisions."""

from __future__ import annotations

from pathlib import Path

from shell import ROOT

__all__ = ["bundles"]


def bundles(work: Path) -> list[Path]:
    """Folders of the bundles; what has to be made is made once, below `work`."""
    return [ROOT / "exported" / "digits"]
