"""One row a recipe: the data it is given, what is predicted with it, and how its model is made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """How `test_whole_way.py` takes one recipe from data to answers, with `--smoke` settings.

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


def _people_csv(folder: Path) -> str:
    rows = "\n".join(f"{20 + row % 50},{'Graz' if row % 3 else 'Linz'},{'high' if row % 50 > 25 else 'low'}"
                     for row in range(300))  # fmt: skip
    (folder / "people.csv").write_text(f"age,city,income\n{rows}\n")
    return str(folder / "people.csv")


def _people(folder: Path) -> list[str]:
    (folder / "new.csv").write_text("city,age\nLinz,31\nWien,64\n")
    return [str(folder / "new.csv"), '{"age": 41, "city": "Graz"}']


def _ratings_csv(folder: Path) -> str:
    rows = "\n".join(f"u{user},i{(user + 3 * step) % 17},{1 + (user + step) % 5},{step}"
                     for user in range(30) for step in range(6))  # fmt: skip
    (folder / "ratings.csv").write_text(f"user,item,rating,timestamp\n{rows}\n")
    return str(folder / "ratings.csv")


ROWS: dict[str, Row] = {
    "cnn": Row(_digits, _picture),
    "forecast": Row(None, _load_csv, steps=("quantize:precision=float16",)),
    "gan": Row(_digits, lambda folder: ["3", "4"]),
    "recommender": Row(
        _ratings_csv,
        lambda folder: ["u3", '{"history": ["i1", "i99"]}'],
        steps=("quantize:precision=float16",),
    ),
    "tabular": Row(_people_csv, _people),
}
