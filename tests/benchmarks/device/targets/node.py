"""Node: every ONNX file in onnxruntime-node, held to ONNX Runtime in this Python."""

from __future__ import annotations

from pathlib import Path

from device.bundles import bundles
from device.kit import Row
from device.npm import answers, cases, hold, packages

__all__ = ["rows"]

_PINNED = {"onnxruntime-node": "1.30.0"}


def rows(work: Path) -> list[Row]:
    """A row a file: the same library as in Python, so integer files are to be equal."""
    found = cases(bundles(work), "onnx")
    told = answers(Path(__file__).with_suffix(".mjs"), packages(work, _PINNED), {"files": [c.as_job() for c in found]})
    return [hold("node", case, told[case.name], steps=0) for case in found]
