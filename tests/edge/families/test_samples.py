"""Images and rows of numbers: read, scored, given back, and refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.families import compared_inputs, family
from dltk.edge.input.noise import add_noise, column_deviations
from edge.samples import (
    ANOMALY_IMAGE,
    ANOMALY_ROW,
    EMBEDDING,
    MOMENTS,
    READ_IMAGE,
    READ_ROW,
    RESTORE_IMAGE,
    RESTORE_ROW,
    THRESHOLD,
)

TABLE = "state,load,heat\nok,-1,10\nworn,-1,16\nok,0,10\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def pictures(tmp_path):
    from PIL import Image

    for name, value in (("ok/a.png", 10), ("ok/b.png", 20), ("torn/c.png", 250)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 6), value, np.uint8)).save(tmp_path / name)
    return tmp_path


def test_rows_are_read_from_tables_texts_and_arrays(table):
    kind = family("anomaly")
    rows = kind.expand(str(table), ANOMALY_ROW)
    assert [row.tolist() for row in rows] == [[10.0, -1.0], [16.0, -1.0], [10.0, 0.0]]  # columns by name, not by place
    for source in ("16,-1", [16, -1], np.array([16.0, -1.0])):
        (one,) = kind.expand(source, ANOMALY_ROW)
        assert kind.read(one, ANOMALY_ROW).tolist() == [16.0, -1.0]
        assert kind.read(one, ANOMALY_ROW).dtype == np.float32


@pytest.mark.parametrize("source", ["1", "1,2,3", "1,x", "1,nan", "1,1e39", [1, [2]], {"heat": 1}, None, ""])
def test_what_is_no_row_is_refused(source):
    with pytest.raises(InputError, match="heat, load"):
        family("anomaly").read(source, ANOMALY_ROW)


def test_a_table_of_many_rows_is_not_one_sample(table):
    with pytest.raises(InputError, match="must have one row"):
        family("anomaly").read(table, ANOMALY_ROW)


def test_a_table_names_what_is_wrong_with_it(tmp_path):
    path = tmp_path / "rows.csv"
    for text, place in (("heat\n1\n", "load"), ("heat,load\n1,2\n1,x\n", "line 3"), ("heat;load\n1;2\n", "comma")):
        path.write_text(text)
        with pytest.raises(InputError, match=place):
            family("anomaly").expand(path, ANOMALY_ROW)


def test_an_anomaly_is_what_does_not_come_back():
    kind, raws = family("anomaly"), np.array([[10, -1], [10, 0], [14, -1]], np.float32)
    outputs = {**kind.tensors(raws, ANOMALY_ROW), "restored": np.zeros((3, 2), np.float32)}
    answers = kind.predictions(outputs, ANOMALY_ROW, top=1)
    # standardized by (2, 0.5): [0, 0], [0, 2], [2, 0]; means of squares
    assert [answer.score for answer in answers] == [0.0, 2.0, 2.0]
    assert [answer.verdict for answer in answers] == ["normal", "anomaly", "anomaly"]
    assert kind.as_json(answers[1]) == {"verdict": "anomaly", "score": 2.0, "threshold": 0.5}
    (metric,) = kind.metrics
    assert metric.scores(outputs, np.array([0, 0, 1]), ANOMALY_ROW).tolist() == [1.0, 0.0, 1.0]
    assert compared_inputs(raws, ANOMALY_ROW).keys() == {"row"}
    assert compared_inputs(raws, RESTORE_ROW) == {}


def test_labelled_rows_and_pictures_are_normal_or_not(table, pictures):
    found = family("anomaly").labelled(table, ANOMALY_ROW)
    assert (found.raws.tolist(), found.targets.tolist()) == ([[10, -1], [16, -1], [10, 0]], [0, 1, 0])
    table.unlink()
    found = family("anomaly").labelled(pictures, ANOMALY_IMAGE)
    assert found.raws.shape == (3, 4, 6, 1)
    assert (found.raws[:, 0, 0, 0].tolist(), found.targets.tolist()) == ([10, 20, 250], [0, 0, 1])


def test_labelled_rows_need_their_column(tmp_path):
    (tmp_path / "rows.csv").write_text("heat,load\n1,2\n")
    with pytest.raises(InputError, match="needs a column 'state'"):
        family("anomaly").labelled(tmp_path / "rows.csv", ANOMALY_ROW)


def test_colours_become_grey_as_pillow_makes_them():
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    raw = family("anomaly").read(pixels, ANOMALY_IMAGE)
    assert np.array_equal(raw[..., 0], np.asarray(image.fromarray(pixels).convert("L")))
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    assert np.array_equal(family("anomaly").read(grey, ANOMALY_IMAGE)[..., 0], grey)


def test_restored_pictures_become_a_png_and_rows_a_table():
    image = pytest.importorskip("PIL.Image")
    kind = family("restore")
    outputs = {"restored": np.linspace(-0.1, 1.1, 24, dtype=np.float32).reshape(1, 4, 6, 1)}
    answers = kind.predictions(outputs, RESTORE_IMAGE, top=1)
    suffix, data = kind.as_file(answers)
    with image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), answers[0][..., 0])
    assert (suffix, answers[0].min(), answers[0].max()) == (".png", 0, 255)
    rows = kind.predictions({"restored": np.array([[0.0, 0.0], [1.0, -2.0]], np.float32)}, RESTORE_ROW, top=1)
    assert rows == [{"heat": 10.0, "load": -1.0}, {"heat": 12.0, "load": -2.0}]
    assert kind.as_file(rows) == (".csv", b"heat,load\n10.0,-1.0\n12.0,-2.0\n")


def test_a_users_clean_samples_get_the_noise_the_model_was_made_for(pictures):
    found = family("restore").labelled(pictures, RESTORE_IMAGE)
    noise = found.raws.astype(float) - found.targets
    assert found.targets[:, 0, 0, 0].tolist() == [10, 20, 250]
    assert 0 < np.abs(noise).max() < 0.1 * 255 * 5
    assert any("0.1" in note for note in found.notes)
    (metric,) = family("restore").metrics
    perfect = {"restored": found.targets / np.float32(255)}
    assert metric.scores(perfect, found.targets, RESTORE_IMAGE).max() < 1e-7  # float32 rounding of x / 255


def test_vectors_become_an_npy():
    kind, vectors = family("embedding"), np.arange(6, dtype=np.float32).reshape(2, 3)
    answers = kind.predictions({"code": vectors}, EMBEDDING, top=1)
    suffix, data = kind.as_file(answers)
    assert suffix == ".npy"
    assert np.array_equal(np.load(io.BytesIO(data), allow_pickle=False), vectors)
    assert kind.as_json(answers[1]) == [3.0, 4.0, 5.0]
    with pytest.raises(InputError, match="right or wrong"):
        kind.labelled("rows.csv", EMBEDDING)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"postprocess": ()}, "needs a step 'threshold'"),
        ({"postprocess": ({**THRESHOLD, "at": "high"},)}, "threshold: at: must be a finite number"),
        ({"postprocess": ({"op": "threshold", "at": None},)}, "threshold: at: must be a finite number"),
    ],
)
def test_a_signature_that_cannot_be_is_refused(change, words):
    outputs = {"row": np.zeros((1, 2)), "restored": np.zeros((1, 2))}
    with pytest.raises(InputError, match=words):
        family("anomaly").predictions(outputs, replace(ANOMALY_ROW, **change), top=1)


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (({"op": "columns", "names": "heat"}, READ_ROW[1]), "must be a list of texts"),
        ((READ_ROW[0], {"op": "standardize", "mean": [1.0], "std": [1.0, 1.0]}), "mean: must be 2 finite numbers"),
        ((READ_ROW[0], {"op": "standardize", **MOMENTS, "std": [1.0, float("inf")]}), "std: must be 2 finite numbers"),
        ((READ_ROW[0],), "needs a step 'standardize'"),
    ],
)
def test_steps_of_rows_that_cannot_be_are_refused(read, words):
    with pytest.raises(InputError, match=words):
        family("anomaly").synthetic(replace(ANOMALY_ROW, preprocess=read), count=1, seed=0)


def test_pictures_of_another_mode_are_refused():
    strange = replace(ANOMALY_IMAGE, preprocess=({**READ_IMAGE[0], "mode": "CMYK"}, *READ_IMAGE[1:]))
    with pytest.raises(InputError, match="mode must be RGB or L"):
        family("anomaly").read(np.zeros((4, 6), np.uint8), strange)


def test_noise_is_a_samples_own_and_as_strong_as_asked():
    raws = np.full((50, 20, 20, 1), 128, np.uint8)
    noisy = add_noise(raws, np.arange(50), deviation=0.1, seed=3)
    assert noisy.dtype == np.uint8
    assert (noisy - 128.0).std() == pytest.approx(25.5, rel=0.02)  # 20,000 draws: a standard error of 0.5 %
    backwards = add_noise(raws[:7], np.arange(50)[6::-1], deviation=0.1, seed=3)
    assert np.array_equal(backwards[::-1], noisy[:7])
    assert not np.array_equal(add_noise(raws, np.arange(50), deviation=0.1, seed=4), noisy)
    rows = np.zeros((4000, 2), np.float32)
    found = add_noise(rows, np.arange(4000), deviation=0.5, seed=0, scale=[1.0, 100.0])
    assert found.dtype == np.float32
    assert found.std(axis=0) == pytest.approx([0.5, 50.0], rel=0.05)


def test_a_column_that_never_changes_has_a_spread_of_one():
    assert column_deviations(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist() == [1.0, 1.0]
