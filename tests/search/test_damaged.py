"""What a search goes on from, damaged: made again where that is cheap, refused in one line where it is not."""

from __future__ import annotations

import json
import random

import pytest

from dltk.base.errors import InputError
from dltk.base.sealed import write_sealed
from dltk.run import Run
from dltk.search.limits import Limits
from dltk.workflows.compressing.search import Search
from search import stub

HARD = {"drop": 0.03, "download": 30_000}
ROW = {"file": "model.float32.tflite", "bytes": 1000, "download_bytes": 900, "metric": {"reference": 0.9}}
LAYERS = [{"layer": name, "weights": 9, "signal_to_noise": 20.0, "drop": None} for name in ("conv", "a,b", "dense")]


def _damaged(data, draw):
    """Cut, zeros, bytes of another place, or one bit."""
    place, size = draw.randrange(len(data)), draw.randrange(1, 3000)
    kind = draw.randrange(5)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + bytes(size) + data[place + size :]
    if kind == 2:
        other = draw.randrange(len(data))
        return data[:place] + data[other : other + size] + data[place + size :]
    if kind == 3:
        return data[:place] + draw.randbytes(size) + data[place + size :]
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of three trials, and its study."""
    pytest.importorskip("optuna")
    folder = tmp_path_factory.mktemp("searched")
    found = stub.searched(folder, stub.bounds(**HARD), trials=3)
    return folder, found, (folder / "study.db").read_bytes()


@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_study_is_used_or_refused_and_can_be_deleted(searched, seed):
    folder, whole, data = searched
    path = folder / "study.db"
    path.write_bytes(_damaged(data, random.Random(seed)))
    said = _said(folder)
    if said:
        assert said.startswith(f"{path}: must be the study of this search; received ")
        assert said.endswith("Delete it: the finished candidates are stored separately, and none is tried again.")
        assert "\n" not in said
        path.unlink()
        tried = []
        again = stub.searched(folder, stub.bounds(**HARD), trials=3, evaluate=lambda steps: tried.append(steps))
        assert again.trials == whole.trials
        assert not tried


def _said(folder):
    """The error of a search that goes on in `folder`; "" where it comes to its end."""
    try:
        found = stub.searched(folder, stub.bounds(**HARD), trials=3)
    except InputError as fault:
        return str(fault)
    return "" if found.chosen in found.trials else "no choice"


OTHERS = {
    "emptied": b"",
    "zeros": bytes(9000),
    "text": b"no database" * 900,
    "swapped": json.dumps(ROW).encode(),
    "another version": b"SQLite format 3\0" + bytes(5000),
}


@pytest.mark.parametrize("how", OTHERS)
def test_another_file_in_place_of_the_study(searched, how):
    folder, whole, _ = searched
    (folder / "study.db").write_bytes(OTHERS[how])
    if how == "emptied":  # to SQLite that is a new one
        assert stub.searched(folder, stub.bounds(**HARD), trials=3).trials == whole.trials
        return
    with pytest.raises(InputError, match="must be the study of this search"):
        stub.searched(folder, stub.bounds(**HARD), trials=3)


class _Judge:
    """Measures nothing; says how often it was asked."""

    has_metric = True

    def __init__(self):
        self.asked = 0

    def row(self, candidate):
        self.asked += 1
        return ROW


def _search(folder):
    class _Bench:
        source = None

    search = Search(Run(folder), None, _Bench(), Limits())
    vars(search)["_judge"] = _Judge()
    return search


VALUES = [None, True, -1, 1e308, 10**400, "", [], [[]], {}, {"reference": None}, {"reference": "x"}, [1, 2, 3]]


def test_a_damaged_source_is_measured_again(tmp_path, caplog):
    path = tmp_path / "candidates" / "source.json"
    assert _search(tmp_path)._source == ROW
    data = path.read_bytes()
    draw = random.Random(0)
    others = [_damaged(data, draw) for _ in range(60)] + [b"[" * 100_000, bytes(len(data))]
    kept = _search(tmp_path)
    assert kept._source == ROW
    assert not kept._judge.asked
    for damaged in others:
        path.write_bytes(damaged)
        search = _search(tmp_path)
        assert search._source == ROW
        assert search._judge.asked == (damaged != data)
    assert "it is created again" in caplog.text
    for key in ("bytes", "download_bytes", "metric"):
        for value in VALUES:
            fits = key != "metric" and type(value) in (int, float) and abs(value) <= 1e308
            write_sealed(path, ROW | {key: value})
            search = _search(tmp_path)
            found = search._source
            assert search._judge.asked == (not fits), (key, value)
            assert found == (ROW | {key: value} if fits else ROW)


def test_damaged_sensitive_layers_are_looked_for_again(tmp_path):
    path = tmp_path / "sensitivity.json"
    write_sealed(path, {"samples": 9, "layers": LAYERS})
    data, draw = path.read_bytes(), random.Random(1)
    assert _search(tmp_path)._sensitive() == ["conv", "dense"]
    for damaged in [_damaged(data, draw) for _ in range(60)]:
        path.write_bytes(damaged)
        assert (_search(tmp_path)._layers() is None) == (damaged != data)
        assert path.exists() == (damaged == data)
    for layers in [
        *VALUES,
        [{}],
        [3],
        [LAYERS[0] | {"layer": 3}],
        [LAYERS[0] | {"more": 3}],
        [LAYERS[0] | {"drop": "x"}],
    ]:
        write_sealed(path, {"samples": 9, "layers": layers})
        assert _search(tmp_path)._layers() == (layers if layers == [] else None)
