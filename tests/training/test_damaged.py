"""A checkpoint or a cached feature that is no longer what was written: refused in one line, or made again."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.cache.entries import new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import DltkError, InputError
from dltk.base.progress import Silent
from dltk.edge.bundle.arrays import parse_npz
from dltk.training import FitTrainer, run
from dltk.training.features import Frozen, cached_outputs
from small import QUIET
from training import kit

pytestmark = QUIET
FIT = replace(kit.EVERYTHING, epochs=2)


def _trainer(seed=3):
    return FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, FIT, seed=seed)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Checkpoints after one epoch of two: of this phase, and of another one."""
    paths = [kit.checkpoint(tmp_path_factory.mktemp(name)) for name in ("own", "other")]
    for path, seed in zip(paths, (3, 4), strict=True):
        trainer = _trainer(seed)
        trainer.done = lambda history: len(history) == 2
        run(trainer, checkpoint=path)
    return paths


@pytest.fixture(scope="module")
def trainer():
    return _trainer()


def _npz(arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _changed(change):
    def damage(own, other):
        arrays = parse_npz(own, "own")
        change(arrays)
        return _npz(arrays)

    return damage


WHOLE = "fit.npz: must be a whole checkpoint; received .*Delete it: then --resume begins the phase anew."
DAMAGE = {
    "truncated": (lambda own, other: own[: len(own) // 2], WHOLE),
    "emptied": (lambda own, other: b"", WHOLE),
    "zeros": (lambda own, other: bytes(len(own)), WHOLE),
    "zeros inside": (lambda own, other: own[:5000] + bytes(200) + own[5200:], WHOLE),
    "swapped": (lambda own, other: other, "fit.npz: must come from the same model, starting weights,"),
    "another npz": (lambda own, other: _npz({"raws": np.zeros(3)}), WHOLE),
    "no facts": (_changed(lambda arrays: arrays.pop("state/facts")), WHOLE),
    "no text": (_changed(lambda arrays: arrays.update({"state/facts": np.full(9, 255, np.uint8)})), WHOLE),
    "no selection": (_changed(lambda arrays: arrays.pop("state/selection")), WHOLE),
    "a short selection": (_changed(lambda arrays: arrays.update({"state/selection": np.zeros(2)})), WHOLE),
    "no epoch": (_changed(lambda arrays: arrays.update({"state/selection": np.full(8, np.nan)})), WHOLE),
    "few weights": (_changed(lambda arrays: arrays.pop("state/model/0001")), "fit.npz: must hold .* of 'model'"),
    "texts": (_changed(lambda arrays: arrays.update({"state/model/0001": np.array(["a"])})), WHOLE),
    "no history": (_changed(lambda arrays: arrays.update({"history.json": np.frombuffer(b"[3]", np.uint8)})), WHOLE),
}  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_one_line(stopped, trainer, tmp_path, how):
    own, other = (path.read_bytes() for path in stopped)
    damage, rule = DAMAGE[how]
    path = kit.checkpoint(tmp_path)
    path.parent.mkdir()
    path.write_bytes(damage(own, other))
    with pytest.raises(InputError, match=rule) as caught:
        run(trainer, checkpoint=path, resume=True)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_after_deleting_it_the_phase_begins_anew(stopped, tmp_path):
    path, progress = kit.checkpoint(tmp_path), Silent()
    history = run(_trainer(), checkpoint=path, resume=True, progress=progress)
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert not any("resuming" in text for text in progress.said)


@pytest.mark.parametrize("seed", range(40))
def test_no_damage_to_a_checkpoint_raises_anything_else(stopped, trainer, tmp_path, seed):
    """One array is another one: of another shape, type or value, or gone; or bytes are others."""
    draw = np.random.default_rng(seed)
    data = stopped[0].read_bytes()
    if seed % 2:
        arrays = parse_npz(data, "own")
        name = sorted(arrays)[draw.integers(len(arrays))]
        put = [
            np.zeros(0),
            np.array(1.5),
            np.full((2, 2), np.inf),
            np.array(["x"]),
            np.arange(99, dtype=np.uint8),
            None,
        ]
        chosen = put[draw.integers(len(put))]
        arrays |= {name: chosen}
        data = _npz({key: array for key, array in arrays.items() if array is not None})
    else:
        place = int(draw.integers(len(data)))
        data = data[:place] + draw.bytes(int(draw.integers(1, 2000))) + data[place + int(draw.integers(1, 2000)) :]
    path = kit.checkpoint(tmp_path)
    path.parent.mkdir()
    path.write_bytes(data)
    trainer.done = lambda history: True
    assert _said(trainer, path).startswith((str(path), "goes on"))


def _said(trainer, path):
    try:
        run(trainer, checkpoint=path, resume=True)
    except DltkError as fault:
        return str(fault)
    return "goes on"


# --- features


def _features(progress):
    split = kit.dataset().validation
    return np.array(
        cached_outputs(Frozen(kit.model()), split, kit.SIGNATURE, source="x", label="features", progress=progress)
    )


def _entry():
    (entry,) = (path for path in cache_folder("features").iterdir() if path.is_dir())
    return entry


def _again(data):
    """A sound list around another array."""

    def damage(entry):
        with new_entry(entry) as building:
            np.save(building / "features.npy", data)

    return damage


FEATURES = {
    "truncated": lambda entry: os.truncate(entry / "features.npy", 200),
    "zeros": lambda entry: (entry / "features.npy").write_bytes(bytes((entry / "features.npy").stat().st_size)),
    "reordered": lambda entry: np.save(entry / "features.npy", np.load(entry / "features.npy")[::-1]),
    "another entry's": lambda entry: shutil.copy(entry / "entry.json", entry / "features.npy"),
    "no list": lambda entry: (entry / "entry.json").unlink(),
    "another shape": _again(np.zeros((3, 3), np.float32)),
    "another type": _again(np.zeros((30, 3), np.float64)),
}


@pytest.mark.parametrize("how", FEATURES)
def test_damaged_features_are_made_again(tmp_path, monkeypatch, how):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    before = _features(Silent())
    FEATURES[how](_entry())
    progress = Silent()
    assert np.array_equal(_features(progress), before)
    assert ("another" in how and "entry" not in how) or any("it is created again" in text for text in progress.warned)
    assert np.array_equal(np.load(_entry() / "features.npy"), before)
