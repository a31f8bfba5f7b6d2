"""Height and width of a model's images, from what the images themselves are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.pool import Pool
from dltk.edge.input.images.decode import image_size
from dltk.recipe import ImageData, SizedImageData

__all__ = ["find_size"]

_MEASURED = 200  # images whose headers are read
_SMALLEST, _LEAST = 8, 16  # pixels that may be set; that are taken, since convolutions halve the size several times
_STEP = 4  # a size that is taken is a multiple of it: what is halved twice can be doubled twice


def find_size(pool: Pool, settings: ImageData, progress: Progress) -> int:
    """`settings.size`; where it is 0, the median size of the images, a multiple of 4 and at least 16.

    The longer side of an image counts, with `resize=crop` the shorter one. It is at most `settings.largest`. What was
    taken from the images is logged, and images that are smaller than the input of a pretrained backbone.

    Raises:
        InputError: if `settings.size` cannot be.
        EnvironmentFault: if Pillow is missing.
    """
    if 0 < settings.size < _SMALLEST:
        raise InputError("setting data.size", f"must be 0, or lie between {_SMALLEST} and 1024", settings.size)
    if settings.size and isinstance(settings, SizedImageData):
        return settings.size
    sizes = _sizes(pool)
    longer = [min(size) if settings.resize == "crop" else max(size) for size in sizes]
    own = int(np.quantile(longer, 0.5, method="lower")) if longer else 0
    if settings.size:
        if 0 < own < settings.size and settings.resize != "keep":
            words = f"{_words(sizes)}, smaller than data.size={settings.size}, to which they are enlarged"
            progress.log(f"data {pool.source}: {words}")
        return settings.size
    largest = settings.largest if isinstance(settings, SizedImageData) else _LEAST
    if not own:  # nothing can be read: the decoder reports why, file by file
        return largest
    side = min(largest, max(_LEAST, -(-own // _STEP) * _STEP))
    rest = f", reduced to data.largest={largest}; a larger data.size keeps more detail" if side < own else ""
    rest = ", enlarged to the least that data.size=0 takes" if own < _LEAST else rest
    progress.log(f"data {pool.source}: size {side}: {_words(sizes)}{rest}")
    return side


def _sizes(pool: Pool) -> list[tuple[int, int]]:
    """(height, width) of some images, evenly spread; those that cannot be read are passed over."""
    found = []
    for row in np.unique(np.linspace(0, len(pool) - 1, min(len(pool), _MEASURED)).astype(np.int64)).tolist():
        source = pool.read(row)
        try:
            found.append(image_size(source) if isinstance(source, (str, Path)) else (source.shape[0], source.shape[1]))
        except InputError:
            continue
    return found


def _words(sizes: list[tuple[int, int]]) -> str:
    height, width = (int(np.quantile(each, 0.5, method="lower")) for each in zip(*sizes, strict=True))
    return f"the images are {width} x {height}{' (median)' if len(set(sizes)) > 1 else ''}"
