"""One row a recipe: the data it is given, what is predicted with it, and how its model is made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """How `test_whole_way.py` takes one recipe from data to answers, with `--smoke` settings.

    What stands behind a space in its key tells rows of one recipe apart.

    Attributes:
        data: (folder) -> what `--data` gets; the folder is empty, and the row's own. None: the recipe's default.
        inputs: (folder) -> the INPUTs of `dltk predict`; None: none, where `words` say it all.
        set: further `--set` pairs.
        steps: `--step`s of the compression.
        gate: `--gate` pairs of `export`: a model of a few steps is not held to what a trained one is.
        words: further words of `dltk predict`.
        slow: whether it takes over about 15 seconds.
    """

    data: Callable[[Path], str] | None
    inputs: Callable[[Path], list[str]] | None
    set: tuple[str, ...] = ()
    steps: tuple[str, ...] = ("quantize:precision=int8",)
    gate: tuple[str, ...] = ("drop=1", "top1_agreement=0", "cosine=0.5")
    words: tuple[str, ...] = ()
    slow: bool = False


def _digits(folder: Path) -> str:
    return "digits"


def _picture(folder: Path) -> list[str]:
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    return [str(folder / "picture.png")]


def _load_csv(folder: Path) -> list[str]:
    rows = "\n".join(f"{hour},{20 + hour % 24}" for hour in range(60))
    (folder / "load.csv").write_text(f"time,load\n{rows}\n")
    return [str(folder / "load.csv")]


def _rows_csv(folder: Path) -> list[str]:
    import numpy as np

    values = np.random.default_rng(0).normal((5.0, 100.0, -1.0), (1.0, 30.0, 0.1), (120, 3))
    values[:20] += 9.0
    lines = [",".join([*(f"{value:.4f}" for value in row), "worn" if n < 20 else "ok"]) for n, row in enumerate(values)]
    (folder / "rows.csv").write_text("\n".join(["heat,load,shift,label", *lines]) + "\n")
    return [str(folder / "rows.csv")]


ROWS: dict[str, Row] = {
    "autoencoder": Row(lambda folder: _rows_csv(folder)[0], lambda folder: ["5,100,-1"], set=("data.normal=ok",)),
    "autoencoder denoise": Row(_digits, _picture, set=("use=denoise", "augment.noise=0.1", "model.filters=4")),
    "autoencoder embed": Row(_digits, _picture, set=("use=embed", "model.kind=dense")),
    "cnn": Row(_digits, _picture),
    "forecast": Row(None, _load_csv, steps=("quantize:precision=float16",)),
    "gan": Row(_digits, lambda folder: ["3", "4"], set=("data.channels=1", "data.resize=keep")),
}
