"""How fast and how small the commands are that a device runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_most, spread
from support.measured import Measured, measure
from support.shell import ROOT, Failure, console_script, shown

__all__ = ["light_start"]

_TIMES = 10


def light_start(bundle: Path = ROOT / "exported" / "digits") -> list[Figure]:
    """`dltk --help`, and `dltk predict` on an image classifier's bundle; the page cache is warm."""
    if not bundle.is_dir():
        raise Failure(f"{bundle} is missing: make it with `make digits`")
    help_: list[str | Path] = [console_script(), "--help"]
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as scratch:
        picture = _picture(bundle, Path(scratch, "digit.png"))
        predict: list[str | Path] = [console_script(), "predict", bundle, picture, "--runtime", "tflite"]
        helped, predicted = _several(help_), _several(predict)
    command = shown([*predict[:3], picture.name, *predict[4:]])
    middle, words = spread([each.peak_resident / 1e6 for each in predicted], "{:.0f}")
    return [
        _seconds("dltk --help, seconds", shown(help_), helped, 0.25),
        _seconds("dltk predict with LiteRT, seconds", command, predicted, 1.0),
        Figure(
            "light-start", "dltk predict with LiteRT, peak resident MB", command, f"{middle:.0f}", words,
            "under 150", at_most(middle, 150), machine()
        ),
    ]  # fmt: skip


def _picture(bundle: Path, target: Path) -> Path:
    """One of the bundle's golden samples as a PNG."""
    import numpy as np
    from PIL import Image

    with np.load(bundle / "golden.npz", allow_pickle=False) as found:
        Image.fromarray(found["raw"][0]).save(target)
    return target


def _several(command: list[str | Path]) -> list[Measured]:
    measure(command)  # warms the page cache, and shows the command once
    return [measure(command, quiet=True) for _ in range(_TIMES)]


def _seconds(what: str, command: str, found: list[Measured], limit: float) -> Figure:
    middle, words = spread([each.seconds for each in found], "{:.3f}")
    met = at_most(middle, limit)
    return Figure("light-start", what, command, f"{middle:.3f}", words, f"under {limit:g}", met, machine())
