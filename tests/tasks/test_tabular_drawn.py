"""Drawn tables: each is refused with an InputError, or read on the device exactly as in training."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.recipe import Built
from dltk.recipe.load import load, resolve

CELLS = {
    "number": lambda rng, n: f"{rng.normal():.3g}",
    "whole": lambda rng, n: str(rng.integers(-3, 40)),
    "row": lambda rng, n: str(n + 1),
    "text": lambda rng, n: f"text {rng.integers(1e9)}",
    "category": lambda rng, n: "abc"[rng.integers(3)],
    "day": lambda rng, n: f"{rng.integers(1, 29)}/{rng.integers(1, 13)}/20{rng.integers(10, 24)}",
    "iso": lambda rng, n: f"2021-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} {rng.integers(24)}:15",
    "percent": lambda rng, n: f"{rng.integers(100)}%",
    "price": lambda rng, n: f"${rng.integers(1e6):,}",
    "yes": lambda rng, n: ("yes", "no")[rng.integers(2)],
    "code": lambda rng, n: "-200" if rng.random() < 0.1 else str(rng.integers(20)),
}
ODD = ("", "NA", "?", "-", "x", "1e400", "inf", "12,5", "\u0661", "%", "$", "1/1/1", "\x1b[2J", "a\u202eb", "9" * 50)
FIXED = ("data.missing=NA,?,-", "data.rare=keep", "data.unlabelled=drop", "data.dates=day-first")


def drawn(seed, path):
    """A table of up to five columns of drawn kinds; in most, some cells are odd."""
    rng = np.random.default_rng(seed)
    kinds = [*rng.choice(list(CELLS), rng.integers(1, 5)), rng.choice(["category", "whole", "number", "yes", "price"])]
    odd = rng.choice(ODD, 2) if rng.random() < 0.4 else ("NA", "")
    share = rng.choice([0.0, 0.02, 0.3])
    rows = [
        [str(rng.choice(odd)) if rng.random() < share else CELLS[kind](rng, n) for kind in kinds]
        for n in range(int(rng.integers(2, 70)))
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[f"c{place}" for place in range(len(kinds))], *rows])


@pytest.mark.parametrize("pairs", [(), FIXED], ids=["as they come", "with settings"])
def test_a_drawn_table_is_refused_or_read_alike(tmp_path, pairs):
    task, settings = tasks.task("tabular"), resolve(load("tabular"), (*pairs, "data.duplicates=keep"), smoke=False)
    read, refused = 0, []
    for seed in range(150):
        path, progress = tmp_path / f"{seed}.csv", Silent()
        drawn(seed, path)
        try:
            dataset = task.prepare(settings, str(path), progress=progress)
        except InputError as fault:
            refused.append(str(fault))
            continue
        read += 1
        assert all(line.isprintable() for line in (*progress.said, *progress.warned))
        signature = task.signature(settings, dataset, Built(None, ()))
        again = Signature.from_dict(json.loads(json.dumps(signature.as_dict())), "test")
        again = again.with_assets(lambda name, dataset=dataset: dataset.assets[name])
        require_consistent(again)
        kind = family(again.family)
        splits = (dataset.train, dataset.validation, dataset.test)
        rows = np.concatenate([split.rows for split in splits])
        raws = np.concatenate([split.take(slice(None)) for split in splits])[np.argsort(rows)]
        found = kind.labelled(path, again)
        assert found.raws.tobytes() == raws.tobytes()
        assert all(np.isfinite(tensor).all() for tensor in kind.tensors(raws, again).values())
        require_shapes(kind.tensors(raws, again), again)
    assert all(message.isprintable() and len(message) < 5_000 for message in refused)
    assert read >= (15 if not pairs else 60)


def require_shapes(tensors, signature):
    assert {name: tensor.shape[1:] for name, tensor in tensors.items()} == {
        spec.name: spec.sample_shape for spec in signature.inputs
    }
