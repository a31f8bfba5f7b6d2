"""Autoencoders: who is normal, what is noisy, where the threshold comes from."""

from __future__ import annotations

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.edge.families import family
from dltk.recipe import Built
from dltk.recipe.load import load, resolve

SCALE = {"op": "scale", "multiply": [1 / 255], "add": [0.0]}


def prepared(data, *pairs):
    recipe = load("autoencoder")
    settings = resolve(recipe, pairs, smoke=True)
    task = tasks.task("autoencode")
    return task, settings, task.prepare(settings, data, progress=SILENT)


@pytest.fixture
def rows(tmp_path):
    """60 good rows and 12 bad ones, in turn."""
    draw, lines = np.random.default_rng(1), ["heat,state,load"]
    for number in range(72):
        heat, load = draw.normal(5 if number % 6 else 50), draw.normal(100, 30)
        lines.append(f"{heat:.3f},{'good' if number % 6 else 'bad'},{load:.3f}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "rows.csv")


def test_anomalies_are_only_in_the_test_split(rows):
    task, settings, dataset = prepared(rows, "data.label=state", "data.normal=good")
    assert (dataset.train.targets == 0).all()
    assert (dataset.validation.targets == 0).all()
    assert dataset.test.targets.sum() == 12  # none came with a side of its own: all of them are there
    assert dataset.report["columns"] == ["heat", "load"]
    every = np.concatenate([side.rows for side in (dataset.train, dataset.validation, dataset.test)])
    assert sorted(every) == list(range(72))
    assert (dataset.test.take(slice(None))[:, 0] > 25).tolist() == dataset.test.targets.astype(bool).tolist()
    assert dataset.report["mean"][0] == pytest.approx(5, abs=0.5)  # of normal rows alone
    assert task.contract(settings, dataset).inputs == {"row": (2,)}


def test_rows_without_labels_are_all_normal(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{n},{n % 7}\n" for n in range(40)))
    _, _, dataset = prepared(str(tmp_path / "rows.csv"))
    assert not dataset.test.targets.any()
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 40


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ((), r"data\.normal: must be one of the labels of .*rows\.csv: bad, good"),
        (("data.normal=goood",), "Did you mean 'good'"),
        (("data.normal=good", "data.columns=heat,lod"), "needs a column 'lod'"),
        (("data.normal=good", "data.columns=heat,state"), "columns of numbers besides 'state'"),
        (("data.normal=good", "data.test=0.5", "data.validation=0.5"), "must leave samples for training"),
        (("use=denoise",), r"augment\.noise: must be above 0"),
        (("data.multi_label=true",), "a sample is normal or not"),
    ],
)
def test_settings_that_do_not_fit_are_named(rows, pairs, words):
    with pytest.raises(InputError, match=words):
        prepared(rows, "data.label=state", *pairs)


def test_a_cell_that_is_no_number_is_named_by_its_line(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,x\n")
    with pytest.raises(InputError, match=r"rows\.csv, line 3: column 'b' must hold a finite number"):
        prepared(str(tmp_path / "rows.csv"))
    with pytest.raises(InputError, match="--data: must be given"):
        prepared(None)


def test_pictures_of_one_class_are_learnt_in_one_channel():
    task, settings, dataset = prepared("digits", "data.normal=3")
    assert dataset.train.store.shape[1:] == (12, 12, 1)
    assert dataset.test.targets.mean() > 0.9  # nine of ten classes, and those that no longer train
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,)))
    assert signature.inputs[0].value_range == pytest.approx((0.0, 1.0))
    tensors = family("anomaly").tensors(dataset.test.take(slice(0, 5)), signature)["image"]
    assert tensors.shape == (5, 12, 12, 1)


def test_pictures_of_one_class_alone_will_do(tmp_path):
    from PIL import Image

    (tmp_path / "good").mkdir()
    for number in range(12):
        Image.fromarray(np.full((9, 9), number * 20, np.uint8)).save(tmp_path / "good" / f"{number:02d}.png")
    _, _, dataset = prepared(str(tmp_path), "data.normal=good")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (9, 1, 2)
    assert not dataset.test.targets.any()


def test_the_threshold_is_a_quantile_of_what_was_not_learnt(rows):
    task, settings, dataset = prepared(
        rows, "data.label=state", "data.normal=good", "quantile=0.5", "data.validation=0.3"
    )
    signature = task.signature(settings, dataset, Built(None, ()))
    outputs = np.zeros((len(dataset.validation), 2), np.float32)
    (op,) = task.finalize_signature(signature, outputs, dataset, {}).postprocess
    tensors = family("anomaly").tensors(dataset.validation.take(slice(None)), signature)["row"]
    assert op["at"] == pytest.approx(np.median(np.square(tensors).mean(axis=1)))
    settled = signature.with_postprocess(op)
    figures = task.figures(np.zeros((len(dataset.test), 2), np.float32), dataset, settled, settings)
    assert figures["auc"] == 1.0  # 45 degrees away
    assert figures["detected"] == 1.0
    assert figures["anomalies"] == 12
    with pytest.raises(InputError, match="set the threshold"):
        task.finalize_signature(signature, outputs[:0], dataset, {})


def test_test_samples_are_noisy_and_their_targets_clean():
    task, settings, dataset = prepared("digits", "use=denoise", "augment.noise=0.2")
    noisy, clean = dataset.test.take(slice(None)), dataset.test.targets
    assert np.array_equal(clean, dataset.test.clean(slice(None)))
    assert np.array_equal(noisy, dataset.test.take(slice(None)))
    assert np.array_equal(noisy[7:9], dataset.test.take(np.array([7, 8])))  # the noise is the sample's own
    middle = (clean > 100) & (clean < 155)  # where two deviations fit into 0..255
    assert (noisy[middle] - clean[middle].astype(float)).std() == pytest.approx(0.2 * 255, rel=0.1)
    assert np.array_equal(dataset.train.take(slice(None)), dataset.train.clean(slice(None)))
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,)))
    figures = task.figures(clean / np.float32(255), dataset, signature, settings)
    assert figures["psnr_restored"] == pytest.approx(100.0)  # nothing is wrong: the ceiling
    assert 10 < figures["psnr_noisy"] < 20  # 14 dB without clipping at black and white
    raws, targets = task.evaluation(dataset, limit_bytes=1000, seed=0)
    assert (len(raws), raws.dtype) == (len(targets), np.uint8)


def test_other_noise_is_other_data():
    digests = {prepared("digits", "use=denoise", f"augment.noise={noise}")[2].digest for noise in (0.1, 0.2)}
    assert len(digests) == 2


def test_a_recipe_that_cannot_be_undone_is_refused():
    task, settings, dataset = prepared("digits", "use=denoise", "augment.noise=0.2")
    with pytest.raises(InputError, match="scale all channels alike"):
        task.signature(settings, dataset, Built(None, ()))
