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


def _words(folder: Path) -> str:
    import sounds

    for word, pitch in (("high", 900), ("low", 300)):
        for number in range(16):
            sounds.write(folder / word / f"ann_{number}.wav", sounds.tone(pitch + 5 * number, seed=number))
    return str(folder)


def _intents(folder: Path) -> str:
    words = {"card": "where is my card", "pin": "my pin is blocked", "top up": "the top up has failed"}
    fill = ("please", "today", "again", "now", "it seems", "hello", "I think", "since Monday")
    rows = [f"{a} {text} {b},{label}" for label, text in words.items() for a in fill for b in fill]
    (folder / "intents.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    return str(folder / "intents.csv")


def _messages(folder: Path) -> list[str]:
    (folder / "messages.txt").write_text("my card, where is it?\n\nblocked pin\n")
    return ["is my top up there", str(folder / "messages.txt")]


def _pairs(folder: Path) -> str:
    import pairs

    return str(pairs.write(folder, 90))


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


def _shapes(folder: Path) -> str:
    import shapes

    return str(shapes.write(folder, 60, side=48))


ROWS: dict[str, Row] = {
    "autoencoder": Row(lambda folder: _rows_csv(folder)[0], lambda folder: ["5,100,-1"], set=("data.normal=ok",)),
    "autoencoder denoise": Row(_digits, _picture, set=("use=denoise", "augment.noise=0.1", "model.filters=4")),
    "autoencoder embed": Row(_digits, _picture, set=("use=embed", "model.kind=dense")),
    "audio-keyword": Row(_words, lambda folder: [str(folder / "high/ann_3.wav")]),
    "audio-transfer": Row(
        _words, lambda folder: [str(folder / "high/ann_3.wav")], steps=("quantize:precision=float16",)
    ),
    "cnn": Row(_digits, _picture),
    "forecast": Row(None, _load_csv, steps=("quantize:precision=float16",)),
    "control": Row(
        None,
        None,
        gate=("drop=1", "top1_agreement=0", "cosine=-1"),  # advantages lie around zero: a cosine says little of them
        words=("--env", "CartPole-v1", "--episodes", "2"),
    ),
    "gan": Row(_digits, lambda folder: ["3", "4"], set=("data.channels=1", "data.resize=keep")),
    "multimodal": Row(_pairs, lambda folder: [f'{{"image": "{folder}/pictures/0000.png", "text": "fits nicely"}}']),
    "text-classification": Row(_intents, _messages),
    "text-transfer": Row(_intents, _messages, steps=("quantize:precision=dynamic",)),
    "recommender": Row(
        _ratings_csv,
        lambda folder: ["u3", '{"history": ["i1", "i99"]}'],
        steps=("quantize:precision=float16",),
    ),
    "tabular": Row(_people_csv, _people),
    "segmentation": Row(_shapes, _picture, slow=True),
}
