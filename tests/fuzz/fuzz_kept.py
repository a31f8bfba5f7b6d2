"""What dltk keeps and reads again: entries of the cache, runs, what a search goes on from, plans, checkpoints."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tiny
from dltk.base.cache.entries import entry_is_intact, listed_files, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import DltkError
from dltk.base.files import write_atomic
from dltk.base.progress import SILENT
from dltk.base.sealed import load_or_discard, write_sealed
from dltk.cli.searched import _sensitive
from dltk.data.decoded import Decoder, decode_pool
from dltk.data.pool import Pool
from dltk.data.stamps import file_digests
from dltk.recipe.load import read, resolve
from dltk.report import as_text, collect
from dltk.report.schema import SensitivityRow, StepRow
from dltk.run import Run
from dltk.search.ledger import Ledger
from dltk.search.limits import Baseline, Limits
from dltk.search.measures import source_row
from dltk.search.sensitivity import layer_rows
from dltk.search.trial import steps_key
from fuzz_values import Target, changed, changed_json
from report import kit
from search import stub

__all__ = ["targets"]

_ROWS = 5


@contextmanager
def _own_cache(folder: Path) -> Any:
    before = os.environ.get("DLTK_CACHE")
    os.environ["DLTK_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["DLTK_CACHE"]
        else:
            os.environ["DLTK_CACHE"] = before


def _in_cache(reads: Callable[[Path, Any], object]) -> Callable[[Any], object]:
    """Reads with a cache of its own, in a new folder."""

    def inside(value: Any) -> object:
        with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder, _own_cache(Path(folder) / "cache"):
            return reads(Path(folder), value)

    return inside


def _files(whole: Mapping[str, bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    """A name out of `whole`, and its bytes changed."""
    return st.sampled_from(sorted(whole)).flatmap(lambda name: st.tuples(st.just(name), changed(whole[name])))


# --- entries of the cache

_ENTRY = {"features.npy": b"\x93NUMPY" + bytes(range(200)), "meta.json": b'{"a": 1}'}


def _entry(folder: Path, case: tuple[str, bytes]) -> object:
    """A file of an entry is another one, or its list: it is not believed, unless it is the same."""
    where, (name, data) = cache_folder("features", "f" * 64), case
    with new_entry(where) as building:
        for other, content in _ENTRY.items():
            (building / other).write_bytes(content)
    same = (where / name).read_bytes() == data
    (where / name).write_bytes(data)
    assert entry_is_intact(where, list(_ENTRY), note=lambda text: None) == same
    return listed_files(where, "features")


@cache
def _listed() -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def keep(folder: Path, _: object) -> None:
        with new_entry(cache_folder("features", "f" * 64)) as building:
            for other, content in _ENTRY.items():
                (building / other).write_bytes(content)
        found["entry.json"] = (cache_folder("features", "f" * 64) / "entry.json").read_bytes()

    _in_cache(keep)(None)
    return _ENTRY | found


def _pool() -> Pool:
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (_ROWS, 2, 2, 3)).astype(np.uint8)
    sides = np.full(_ROWS, -1, np.int8)
    return Pool("x", "k", np.arange(_ROWS), ("a", "b"), sides, str, lambda row: samples[row])


def _decoder() -> Decoder:
    return Decoder("images", {"ops": []}, (2, 2, 3), np.uint8, lambda array, where: (array, bytes(32)))


@cache
def _decoded() -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def keep(folder: Path, _: object) -> None:
        decode_pool(_pool(), _decoder(), progress=SILENT)
        (entry,) = cache_folder("images").iterdir()
        found.update({path.name: path.read_bytes() for path in entry.iterdir() if path.name != "entry.json"})

    _in_cache(keep)(None)
    return found


def _images(folder: Path, case: tuple[str, bytes]) -> object:
    """Under a list that fits: whatever stands there is used as it should be, or made again."""
    decode_pool(_pool(), _decoder(), progress=SILENT)
    (entry,) = cache_folder("images").iterdir()
    files = _decoded() | dict([case])
    with new_entry(entry) as building:
        for name, data in files.items():
            (building / name).write_bytes(data)
    found = decode_pool(_pool(), _decoder(), progress=SILENT)
    assert found.raws.shape == (_ROWS, 2, 2, 3)
    return [(int(row), str(reason)) for row, reason in found.unreadable.items()]


def _stamps(folder: Path, content: Any) -> object:
    """What is remembered of files, under a list that fits."""
    path = folder / "a.png"
    path.write_bytes(b"x")
    file_digests(str(folder), [path], SILENT)
    for entry in cache_folder("stamps").glob("*") or [cache_folder("stamps", "0" * 32)]:
        with new_entry(entry) as building:
            (building / "stamps.json").write_text(json.dumps(content).replace("PATH", str(path)))
    return file_digests(str(folder), [path], SILENT).key


# --- what a search goes on from


def _sealed(path: Path, content: Any) -> Path:
    """With a digest that fits, where it can have one."""
    write_atomic(path, json.dumps(content).encode(errors="surrogatepass"))
    if isinstance(content, dict):
        with suppress(ValueError, DltkError):  # NaN, surrogates: no JSON
            write_sealed(path, content)
    return path


def _ledger(folder: Path, content: Any) -> object:
    _sealed(folder / "0001.json", content)
    bounds = stub.bounds(drop=0.01, size=10_000, download=100, latency=0.1, confident=True)
    trials = Ledger(folder).trials
    return [(bounds.misses(trial.measures), trial.measures.words()) for trial in trials if trial.measures]


_TRIAL = {
    "number": 1, "stage": "int8", "steps": ["quantize:repair=false"], "error": "",
    "row": stub.row(("quantize:repair=false",)), "key": steps_key(["quantize:repair=false"]),
}  # fmt: skip
_EFFECT = {"layer": "conv", "weights": 9, "signal_to_noise": 20.5, "drop": None}
_STEP = {
    "name": "quantize", "settings": {"precision": "int8"}, "changed": ["conv"], "warnings": ["few samples"],
    "skipped": [{"layer": "softmax", "reason": "stays float"}], "figures": {"bytes_after_over_before": 0.28},
}  # fmt: skip


def _recalled(make: Callable[[dict[str, Any]], object], use: Callable[[Any], object]) -> Callable[[Any], object]:
    """What is kept of a search is good for what is made of it, or it is not there."""

    def reads(content: Any) -> object:
        with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
            path = _sealed(Path(folder) / "kept.json", content)
            found = load_or_discard(path, 1_000_000, make)
            assert (found is None) != path.exists()
            return None if found is None else use(found)

    return reads


def _of_source(row: dict[str, Any]) -> object:
    limits = Limits.parse(max_drop="1%", max_size="30%", max_download="50%", max_latency="1ms")
    return limits.bounds(Baseline(row["bytes"], row["metric"]["reference"]))


# --- runs


@cache
def _run() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        run = Run.create(Path(folder) / "run")
        loaded = read("cnn")
        run.write_recipe(loaded, resolve(loaded.recipe, ["seed=7"]), smoke=False)
        run.write_signature(tiny.SIGNATURE)
        run.write_json("data", kit.DATA)
        run.write_json("metrics", kit.classification())
        run.write_json("report", kit.findings())
        run.model_path.write_bytes(b"")
        run.history_path.write_text(kit.HISTORY)
        return {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}


def _of_run(case: tuple[str, bytes]) -> object:
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        for name, data in (_run() | dict([case])).items():
            (Path(folder) / name).write_bytes(data)
        run = Run.open(folder)
        asked = (
            lambda: as_text(collect(folder)), lambda: run.signature, run.settings, run.changed_settings,
            lambda: (run.task, run.recipe_name), lambda: run.openable_source,
        )  # fmt: skip
        faults = [fault for ask in asked if (fault := _fault(ask))]
    for fault in faults:
        raise fault
    return None


def _fault(ask: Callable[[], object]) -> DltkError | None:
    try:
        ask()
    except DltkError as fault:
        return fault
    return None


def _json_of_run() -> st.SearchStrategy[tuple[str, bytes]]:
    def of(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
        whole = json.loads(_run()[name])
        return changed_json(whole).map(lambda found: (name, json.dumps(found).encode(errors="surrogatepass")))

    return st.sampled_from(sorted(name for name in _run() if name.endswith(".json"))).flatmap(of)


def targets() -> dict[str, Target]:
    """Name -> what is made, and who reads it."""
    stamps = {"PATH": [[1, 2, 3, 4, 5, 6], "0" * 64]}
    return {
        "cache entries": Target(_files(_listed()), _in_cache(_entry)),
        "decoded images": Target(_files(_decoded()), _in_cache(_images), 50),
        "stamps": Target(changed_json(stamps), _in_cache(_stamps), 50),
        "candidates": Target(changed_json(_TRIAL), _in_cache(_ledger)),
        "source of a search": Target(
            changed_json(_TRIAL["row"] | {"metric": kit.METRIC}),
            _recalled(lambda found: source_row(found, True), _of_source),
        ),
        "sensitive layers": Target(
            changed_json({"samples": 9, "layers": [_EFFECT, _EFFECT]}),
            _recalled(layer_rows, lambda rows: list(_sensitive([*map(SensitivityRow.from_dict, rows)], share=True))),
        ),
        "steps taken": Target(
            changed_json(_STEP),
            _recalled(StepRow.from_dict, StepRow.as_dict),
        ),
        "files of runs": Target(_files(_run()), _of_run, 50),
        "values of runs": Target(_json_of_run(), _of_run),
    }
