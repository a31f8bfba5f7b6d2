"""Examples of tables: people, a machine's sensors, a series of measurements, and ratings."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["write_load", "write_people", "write_ratings", "write_sensors"]

_PEOPLE = 1200
_NORMAL, _WORN = 1200, 120
_HOURS = 24 * 7 * 16
_USERS, _ITEMS, _GENRES, _RATED = 300, 200, 8, 40


def write_people(folder: Path) -> None:
    """people.csv: 1,200 rows of age, hours, city, job and income, which is high or low, with chance in it."""
    rng = np.random.default_rng(41)
    jobs = {"clerk": -0.6, "driver": -0.9, "engineer": 1.3, "nurse": 0.1, "teacher": 0.4}
    cities = {"Graz": -0.2, "Linz": 0.0, "Salzburg": 0.3, "Vienna": 0.6}
    rows: dict[tuple[Any, ...], str] = {}  # of two people with the same features only the first is there
    while len(rows) < _PEOPLE:
        age, hours = int(rng.integers(18, 66)), int(rng.integers(10, 51))
        city, job = _one(rng, cities), _one(rng, jobs)
        # Income rises with age up to 50 and then falls; a short week outweighs the job.
        score = 1.4 - abs(age - 50) / 9 + (hours - 28) / 6 + 1.6 * jobs[job] + cities[city]
        rows.setdefault((age, hours, city, job), "high" if score + rng.normal(0, 0.8) > 0 else "low")
    table = [(*features, income) for features, income in rows.items()]
    _write(folder / "people.csv", ("age", "hours", "city", "job", "income"), table)


def write_sensors(folder: Path) -> None:
    """sensors.csv: 1,320 rows of six sensors of a machine; label is normal or, for 120 rows, worn.

    In normal operation, speed and load determine all sensors but for noise; wear changes how they depend on each other.
    """
    rng = np.random.default_rng(42)
    rows = []
    for number in range(_NORMAL + _WORN):
        worn = number >= _NORMAL
        speed, load = rng.uniform(800, 2400), rng.uniform(0.1, 1.0)
        wear = rng.uniform(0.4, 1.0) if worn else 0.0
        current = 2 + 9 * load * speed / 2400
        temperature = 35 + 3.2 * current + 22 * wear
        vibration = 0.1 + 0.35 * (speed / 2400) ** 2 + 0.5 * wear
        pressure = 6 - 1.5 * load - 0.9 * wear
        flow = 40 * speed / 2400 * (1 - 0.25 * wear)
        exact = (speed, current, temperature, vibration, pressure, flow)
        noise = rng.normal(0, 1, 6) * (8, 0.1, 0.6, 0.01, 0.04, 0.4)
        rows.append((*(f"{value:.3f}" for value in np.add(exact, noise)), "worn" if worn else "normal"))
    rows = [rows[each] for each in rng.permutation(len(rows))]
    _write(folder / "sensors.csv", ("speed", "current", "temperature", "vibration", "pressure", "flow", "label"), rows)


def write_load(folder: Path) -> None:
    """load.csv: the time, electric load and heat of 16 weeks, hourly: a daily and a weekly season, weather, noise."""
    rng = np.random.default_rng(43)
    start, rows, weather = datetime.datetime(2024, 1, 1), [], 0.0
    for hour in range(_HOURS):
        weather = 0.97 * weather + rng.normal(0, 0.25)
        day, weekend = hour % 24, hour // 24 % 7 >= 5
        daily = np.sin(2 * np.pi * (day - 9) / 24) + 0.4 * np.sin(4 * np.pi * (day - 6) / 24)
        load = 24 + (3 if weekend else 5.5) * daily - 3 * weekend - 0.8 * weather + rng.normal(0, 0.35)
        heat = 4 - 0.9 * np.sin(2 * np.pi * (day - 8) / 24) - 0.7 * weather + rng.normal(0, 0.12)
        rows.append((f"{start + datetime.timedelta(hours=hour):%Y-%m-%d %H:%M}", f"{load:.2f}", f"{heat:.2f}"))
    _write(folder / "load.csv", ("time", "load", "heat"), rows)


def write_ratings(folder: Path) -> None:
    """ratings.csv: 12,000 ratings of 200 items by 300 users, in half stars, with the time.

    An item has one of eight genres. A user likes two of them, and mostly picks an item of the genre of the item before.
    """
    rng = np.random.default_rng(44)
    genres, appeal = rng.integers(_GENRES, size=_ITEMS), rng.normal(0, 0.8, _ITEMS)
    rows = []
    for user in range(1, _USERS + 1):
        liked = rng.permutation(_GENRES)[:2]
        last, free, time = int(liked[0]), np.ones(_ITEMS, bool), int(rng.integers(1_600_000_000, 1_700_000_000))
        for _ in range(_RATED):
            wish = 2.5 * (genres == last) + 1.5 * np.isin(genres, liked) + appeal
            chance = np.where(free, np.exp(wish), 0)
            item = int(rng.choice(_ITEMS, p=chance / chance.sum()))
            free[item], last, time = False, int(genres[item]), time + int(rng.integers(60, 90_000))
            stars = 3 + 0.8 * (genres[item] in liked) + 0.5 * appeal[item] + rng.normal(0, 0.5)
            rows.append((user, 100 + item, np.clip(round(stars * 2) / 2, 0.5, 5.0), time))
    _write(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), rows)


def _one(rng: np.random.Generator, choices: Iterable[str]) -> str:
    names = tuple(choices)
    return names[rng.integers(len(names))]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
