"""A user's own data becomes the samples and targets that a family's metric takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.base.errors import InputError
from dltk.edge.runtimes import Port
from dltk.edge.scoring import labelled, score
from dltk.edge.signature import Signature, TensorSpec

SERIES = Signature(
    task="forecast",
    family="series",
    inputs=(TensorSpec("series", "float32", (None, 3, 1), ("batch", "time", "column")),),
    outputs=(TensorSpec("forecast", "float32", (None, 2, 1), ("batch", "time", "column")),),
    preprocess=(
        {"op": "window", "length": 3, "columns": ["load"]},
        {"op": "standardize", "mean": [10.0], "std": [2.0]},
    ),
    postprocess=({"op": "unstandardize", "mean": [10.0], "std": [2.0]},),
    labels=("load",),
)


class LastValue:
    """A session that forecasts the last value it sees."""

    inputs, outputs = (Port("series", "float32", (None, 3, 1)),), (Port("forecast", "float32", (None, 2, 1)),)

    def run(self, tensors):
        return {"forecast": np.repeat(tensors["series"][:, -1:], 2, axis=1)}


def test_every_window_of_a_table_is_scored(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,load\n" + "".join(f"{t},{t * 3}\n" for t in range(200)))
    raws, targets = labelled(path, SERIES)
    assert raws.shape == (196, 3, 1)
    assert targets.shape == (196, 2, 1)
    assert raws[1].ravel().tolist() == [3, 6, 9]
    assert (targets[1].ravel() * 2 + 10).tolist() == [12, 15]
    # The series rises by 3 a step: the last value is 3 short one step on, 6 short two steps on.
    assert score(LastValue(), SERIES, (raws, targets)) == {
        "name": "mean_absolute_error",
        "value": pytest.approx(4.5, abs=1e-4),  # values of up to 600 in float32
        "samples": 196,
    }


def test_too_short_a_table_is_refused(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,load\n0,1\n1,2\n2,3\n3,4\n")
    with pytest.raises(InputError, match="at least 5 rows"):
        labelled(path, SERIES)


def test_several_labels_a_picture(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for number, sample in enumerate(tiny.raws(2)):
        image.fromarray(sample).save(tmp_path / f"{number}.png")
    (tmp_path / "list.csv").write_text("path,label\n0.png,cat|owl\n1.png,dog\n")
    signature = tiny.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.5})
    raws, targets = labelled(tmp_path / "list.csv", signature)
    assert np.array_equal(raws, tiny.raws(2))
    assert targets.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_a_generator_cannot_be_scored(tmp_path):
    with pytest.raises(InputError, match="generator"):
        labelled(tmp_path, replace(SERIES, family="generator"))
