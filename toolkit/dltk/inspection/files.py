"""Sizes of images, rates and lengths of recordings, and copies, of the files that an inspection looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dltk.base.errors import DltkError
from dltk.data.dataset import Dataset
from dltk.data.glance import Glance
from dltk.edge.input.images.decode import image_size
from dltk.edge.input.wav import read_wav

__all__ = ["facts_of_files"]

_MEASURED = 32  # files whose size or length is read


def facts_of_files(glance: Glance, dataset: Dataset) -> dict[str, Any]:
    """JSON values about the files of the last recipe; empty where it read none.

    "decoded" of "listed" samples, "copies" that equal another sample (None where that would take long), those of them
    "across_splits", "unreadable", and "sizes" (height x width) or "rates" (Hz) with how many, "seconds".
    """
    report = dataset.report
    copied = report.get("duplicates")  # a number in ratings
    listed = copied if isinstance(copied, list) else []
    found: dict[str, Any] = {"across_splits": sum(len(each["dropped"]) for each in listed)} if listed else {}
    if not glance.listed:
        return found
    found |= {"listed": glance.listed, "decoded": glance.decoded, "unreadable": report.get("unreadable", 0)}
    found["copies"] = glance.copies if glance.is_compared else None
    paths = sorted(glance.files, key=str)
    few = [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _MEASURED)).astype(int))]
    return found | _sizes([path for kind, path in few if kind != "sounds"]) | _lengths(
        [path for kind, path in few if kind == "sounds"]
    )  # fmt: skip


def _sizes(paths: Sequence[Path]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for path in paths:
        try:
            height, width = image_size(path)
        except DltkError:
            continue  # counted as unreadable already
        counts[f"{height} x {width}"] += 1
    return {"sizes": dict(counts.most_common())} if counts else {}


def _lengths(paths: Sequence[Path]) -> dict[str, Any]:
    rates, seconds = Counter[str](), list[float]()
    for path in paths:
        try:
            sound = read_wav(path)
        except DltkError:
            continue
        rates[str(sound.rate)] += 1
        seconds.append(round(len(sound.samples) / sound.rate, 3))
    if not seconds:
        return {}
    middle = float(np.median(seconds))
    return {"rates": dict(rates.most_common()), "seconds": {"median": middle, "longest": max(seconds)}}
