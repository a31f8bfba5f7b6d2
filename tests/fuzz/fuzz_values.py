"""How values are made with hypothesis, and how a reader is tried with them: see `fuzzing.py`."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dltk.base.errors import DltkError

__all__ = ["MEMORY", "Target", "changed", "changed_json", "on_disk", "quiet", "round_of", "tried"]

ROUND = 100  # examples
MEMORY = 500_000_000  # bytes, on top of what is there before


@dataclass(frozen=True)
class Target:
    """A strategy, what reads its values, and how many of them make a round."""

    values: st.SearchStrategy[Any]
    reads: Callable[[Any], object]
    round: int = ROUND


def tried(target: Target, seconds: float = 0.0) -> int:
    """How many examples were read, in under 500 MB; one round at least, always the same ones in the same order."""
    count, end, before = 0, time.monotonic() + seconds, _peak(reset=True)
    while True:
        with quiet():
            round_of(target, count)()
        assert _peak() - before < MEMORY, (before, _peak())
        count += target.round
        if time.monotonic() >= end:
            return count


def round_of(target: Target, first: int = 0) -> Any:
    """A round of a target as hypothesis has it; `first` is the seed."""

    @seed(first)
    @settings(max_examples=target.round, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.values)
    def one_round(value: Any) -> None:
        assert said(target.reads, value).isprintable()

    return one_round


@contextmanager
def quiet() -> Iterator[None]:
    """Of what is damaged the log says that it is created again: thousands of lines here."""
    log = logging.getLogger("dltk")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _peak(*, reset: bool = False) -> int:
    """Bytes of memory that this process had at most since the last reset; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def said(reads: Callable[[Any], object], value: Any) -> str:
    """What was wrong with a value, in dltk's words."""
    try:
        reads(value)
    except DltkError as fault:
        return str(fault)
    return ""


# --- changed bytes


def changed(whole: bytes) -> st.SearchStrategy[bytes]:
    """`whole` with some bytes overwritten, cut, doubled or put in."""
    place = st.integers(0, len(whole))
    edits = st.lists(st.tuples(place, place, st.binary(max_size=8)), min_size=1, max_size=6)

    def edit(found: list[tuple[int, int, bytes]]) -> bytes:
        data = whole
        for start, length, put in found:
            kept = length % 16 if length % 3 else 0  # mostly overwritten, sometimes put in
            data = data[:start] + put + data[start + kept :]
        return data

    return edits.map(edit)


def on_disk(reads: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def read_file(data: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
            (Path(folder) / name).write_bytes(data)
            return reads(Path(folder) / name)

    return read_file


# --- changed JSON

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in _paths(item, (*path, key)))]


def _with(whole: Any, path: tuple[Any, ...], value: Any, how: str) -> Any:
    """A copy of `whole` with what stands at `path` replaced, left out, or called otherwise."""
    if not path:
        return value
    copy = dict(whole) if isinstance(whole, dict) else list(whole)
    if len(path) > 1 or how == "replace":
        copy[path[0]] = _with(copy[path[0]], path[1:], value, how)
    else:
        held = copy.pop(path[0])
        if how == "rename" and isinstance(copy, dict):
            copy[str(value)] = held
    return copy


def changed_json(whole: Any) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda path, value, how: _with(whole, path, value, how),
        st.sampled_from(_paths(whole)),
        _JSON,
        st.sampled_from(["replace", "replace", "leave out", "rename"]),
    )
