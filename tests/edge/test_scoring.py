"""A user's own data becomes the samples and targets that a family's metric takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family
from dltk.edge.runtime.port import Port
from dltk.edge.scoring import score
from dltk.edge.sources.unreadable import MAX_UNREADABLE
from dltk.recipe import ImageData

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


def labelled(data, signature):
    return family(signature.family).labelled(data, signature)


class LastValue:
    """A session that forecasts the last value it sees."""

    inputs, outputs = (Port("series", "float32", (None, 3, 1)),), (Port("forecast", "float32", (None, 2, 1)),)

    def run(self, tensors):
        return {"forecast": np.repeat(tensors["series"][:, -1:], 2, axis=1)}


def test_every_window_of_a_table_is_scored(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,load\n" + "".join(f"{t},{t * 3}\n" for t in range(200)))
    samples = labelled(path, SERIES)
    raws, targets = samples.raws, samples.targets
    assert raws.shape == (196, 3, 1)
    assert targets.shape == (196, 2, 1)
    assert raws[1].ravel().tolist() == [3, 6, 9]
    assert (targets[1].ravel() * 2 + 10).tolist() == [12, 15]
    # The series rises by 3 a step: the last value is 3 short one step on, 6 short two steps on.
    assert score(LastValue(), SERIES, samples) == {
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
    samples = labelled(tmp_path / "list.csv", signature)
    assert np.array_equal(samples.raws, tiny.raws(2))
    assert samples.targets.tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.fixture
def owls(tmp_path):
    """A folder of one class: 20 pictures of owls."""
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "data" / "owl").mkdir(parents=True)
    for number, sample in enumerate(tiny.raws(20)):
        image.fromarray(sample).save(tmp_path / "data" / "owl" / f"{number:02d}.png")
    return tmp_path / "data"


def test_some_of_the_classes_are_enough(owls):
    (owls / "dog").mkdir()  # nothing is known of dogs yet
    samples = labelled(owls, tiny.SIGNATURE)
    assert np.array_equal(samples.raws, tiny.raws(20))
    assert samples.targets.tolist() == [tiny.LABELS.index("owl")] * 20
    (owls.parent / "list.csv").write_text("path,label\ndata/owl/03.png,owl\n")
    assert np.array_equal(labelled(owls.parent / "list.csv", tiny.SIGNATURE).raws, tiny.raws(20)[3:4])


def test_a_class_that_the_model_does_not_know_is_named(owls):
    (owls / "owl").rename(owls / "eagle")
    with pytest.raises(InputError, match="labels must be among cat, dog, owl; received eagle"):
        labelled(owls, tiny.SIGNATURE)
    (owls / "eagle").rename(owls.parent / "eagle")
    (owls / "owl").mkdir()
    with pytest.raises(InputError, match="needs at least one class; received none"):
        labelled(owls, tiny.SIGNATURE)


def test_a_few_unreadable_pictures_are_skipped_and_named(owls):
    (owls / "owl" / "07b.jpg").write_bytes(b"no picture")
    (owls / "owl" / "LICENSE").write_text("no picture, and not meant as one")
    samples = labelled(owls, tiny.SIGNATURE)
    assert np.array_equal(samples.raws, tiny.raws(20))
    assert len(samples.targets) == 20
    assert [name for name, _ in samples.skipped] == ["owl/07b.jpg", "owl/LICENSE"]
    ignored, skipped = samples.notes
    assert ignored == "ignored, not an image: 1 file: owl/LICENSE"
    assert skipped.startswith("skipped 1 of 21 files that cannot be read: owl/07b.jpg: must be a JPEG")
    assert samples.as_dict()["skipped"][1] == {"name": "owl/LICENSE", "reason": "ignored, not an image"}


def test_many_unreadable_pictures_are_an_error(owls):
    for number in range(2):
        (owls / "owl" / f"bad{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"at most 5% of the files may be unreadable; received 2 of 22\. owl/bad0"):
        labelled(owls, tiny.SIGNATURE)
    for number in range(2, 7):
        (owls / "owl" / f"bad{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError) as caught:
        labelled(owls, tiny.SIGNATURE)
    said = str(caught.value)
    assert said.count("must be a JPEG") == 1  # one reason, said once
    assert "owl/bad3.jpg, owl/bad4.jpg: must be a JPEG" in said
    assert "; and 2 more. " in said


def test_training_and_scoring_forgive_the_same_share():
    assert ImageData().max_unreadable == MAX_UNREADABLE


def test_a_generator_cannot_be_scored(tmp_path):
    with pytest.raises(InputError, match="generator"):
        labelled(tmp_path, replace(SERIES, family="generator"))
