"""A kill while something is kept for later: no half of it is believed afterwards."""

from __future__ import annotations

import os
import random
import sqlite3

import numpy as np
import pytest
from PIL import Image

from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault
from dltk.base.progress import SILENT
from dltk.data.decoded import decode_pool, image_decoder
from dltk.data.pool import open_pool
from dltk.search.space import Space
from dltk.search.study import open_study
from kills import calls
from kills.test_disks import fill, mounted
from search import stub

traced = pytest.mark.skipif(bool(calls.why_not()), reason=calls.why_not() or "can be traced")
OPS = (
    {"op": "decode", "mode": "RGB", "max_pixels": 10_000},
    {"op": "resize", "height": 8, "width": 8, "method": "bilinear", "fit": "stretch"},
)

starts = Space.starts


@pytest.fixture
def decoding(tmp_path, monkeypatch):
    """A pool of 12 pictures; each decoding goes into a cache of its own."""
    draw = np.random.default_rng(1)
    for number in range(12):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(path)
    pool = open_pool(str(tmp_path / "data"), group=None, multi_label=False, progress=SILENT)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)

    def decode(name):
        monkeypatch.setenv("DLTK_CACHE", str(tmp_path / f"cache-{name}"))
        return lambda: np.array(decode_pool(pool, image_decoder(OPS), progress=SILENT).raws)

    return decode


def _killed(decoding, kill, chosen):
    """After each kill the entry is whole or not there, and the next start has the same pictures."""
    whole = decoding("whole")()
    for place, moment in enumerate(chosen):
        decode = decoding(place)
        kill(decode, moment)
        entries = list(cache_folder("images").glob("[!.]*")) if cache_folder("images").is_dir() else []
        assert all({file.name for file in path.iterdir()} == {"images.npy", "digests.npy", "meta.json", "entry.json"}
                   for path in entries)  # fmt: skip
        assert (decode() == whole).all(), moment
        assert [path.name[0] for path in cache_folder("images").iterdir()] != ["."], "leftovers are swept"


@traced
def test_decoded_samples_and_a_kill_before_a_system_call(decoding):
    found = calls.some(calls.every(decoding("counted")), 8, seed=3)
    _killed(decoding, lambda work, place: calls.killed_before(work, *place), found)


@pytest.mark.slow
@traced
def test_decoded_samples_and_a_kill_before_every_system_call(decoding):
    found = calls.every(decoding("counted"))
    _killed(decoding, lambda work, place: calls.killed_before(work, *place), found)


@pytest.mark.slow
def test_decoded_samples_and_random_kills(decoding):
    chosen = random.Random(5).sample(range(1, calls.moments(decoding("counted"))), 60)
    _killed(decoding, calls.killed_at, chosen)


def _searched(tmp_path, kinds, count):
    """A search that is killed while its candidates and its study are written loses and repeats no candidate."""

    def search(folder):
        return stub.searched(folder, stub.bounds(download=10_000), trials=3)

    whole = search(tmp_path / "whole")
    chosen = calls.some(calls.every(lambda: search(tmp_path / "counted"), kinds), count, seed=8)
    for place, (call, number) in enumerate(chosen):
        folder = tmp_path / str(place)
        calls.killed_before(lambda folder=folder: search(folder), call, number)
        assert search(folder) == whole, (call, number)
        with sqlite3.connect(folder / "study.db") as study:
            assert study.execute("pragma integrity_check").fetchone() == ("ok",)
        study.close()
        assert not list(folder.rglob(".dltk-*"))


@pytest.mark.parametrize("last", [1, 2], ids=["a start", "a later one"])
def test_a_search_that_ends_while_a_candidate_is_being_chosen(tmp_path, monkeypatch, last):
    """A point to begin with is not lost, and the choice that follows is the same one."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(Space, "starts", lambda space: starts(space)[:1])
    whole = stub.searched(tmp_path / "whole", stub.bounds(download=10_000), trials=2)
    steps, count = Space.steps, iter(range(1, 100))

    def dying(space, choose):
        found = steps(space, choose)
        if next(count) == last:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Space, "steps", dying)
        with pytest.raises(KeyboardInterrupt):
            stub.searched(tmp_path / "cut", stub.bounds(download=10_000), trials=2)
    assert stub.searched(tmp_path / "cut", stub.bounds(download=10_000), trials=2) == whole


@pytest.mark.slow
@traced
def test_a_search_and_80_kills_before_system_calls(tmp_path):
    pytest.importorskip("optuna")
    _searched(tmp_path, calls.CALLS, 80)


def test_a_study_on_a_full_disk(tmp_path):
    pytest.importorskip("optuna")
    with mounted(tmp_path / "disk", "64k") as disk:
        fill(disk)
        with (
            pytest.raises(EnvironmentFault, match=r"study\.db: must be writable"),
            open_study(disk / "study.db", Space({}), seed=0),
        ):
            pass
