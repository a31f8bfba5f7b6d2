"""Segmentation: pictures with masks become a data set, and a U-Net fits it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import shapes
from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json
from dltk.base.progress import SILENT
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.recipe import Built
from dltk.recipe.load import load, resolve

SCALE = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return shapes.write(tmp_path / "data", 40, side=40)


def prepared(data, *pairs):
    recipe = load("segmentation")
    settings = resolve(recipe, pairs, smoke=True)
    task = tasks.task(recipe.task)
    return task, settings, task.prepare(settings, str(data), progress=SILENT)


def test_masks_are_split_and_resized_with_their_pictures(folder):
    _, _, dataset = prepared(folder)
    assert dataset.labels == shapes.LABELS
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [28, 4, 8]
    for split in (dataset.train, dataset.test):
        assert split.take(slice(None)).shape == (len(split), 32, 32, 3)
        assert (split.targets.shape, split.targets.dtype) == ((len(split), 32, 32), np.uint8)
    with Image.open(folder / "masks" / f"{dataset.test.rows[0]:05d}.png") as mask:
        nearest = np.asarray(mask.resize((32, 32), Image.Resampling.NEAREST))
    assert np.array_equal(dataset.test.targets[0], nearest)
    again = prepared(folder)[2]
    assert again.digest == dataset.digest
    Image.fromarray(np.ones((40, 40), np.uint8)).save(folder / "masks/00000.png")
    assert prepared(folder)[2].digest != dataset.digest


def test_signature_fits_contract_and_family(folder):
    task, settings, dataset = prepared(folder)
    contract = task.contract(settings, dataset)
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,)))
    assert {spec.name: spec.sample_shape for spec in signature.inputs} == dict(contract.inputs)
    assert {spec.name: spec.sample_shape for spec in signature.outputs} == dict(contract.outputs)
    assert signature.inputs[0].value_range == pytest.approx((-1.0, 1.0))
    raws, targets = task.evaluation(dataset, limit_bytes=4 * 32 * 32 * 3, seed=0)
    assert (len(raws), targets.shape) == (4, (4, 32, 32))
    perfect = {"logits": np.eye(4, dtype=np.float32)[targets]}
    assert all((m.scores(perfect, targets, signature) == 1.0).all() for m in family("segmentation").metrics)
    read = Signature.from_dict(parse_json(canonical_json(signature.as_dict()), "here"), "here")
    assert (read.inputs, read.outputs, read.labels) == (signature.inputs, signature.outputs, signature.labels)
    assert task.finalize_signature(signature, np.zeros((0, 32, 32, 4)), dataset, {}) == signature


def test_a_limit_shortens_training_alone(folder):
    dataset = prepared(folder, "data.limit=10")[2]
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [10, 4, 8]


def test_without_labels_classes_are_their_numbers(folder):
    (folder / "labels.txt").unlink()
    assert prepared(folder)[2].labels == ("0", "1", "2", "3")


def test_what_cannot_be_learnt_from_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="must leave samples for training"):
        prepared(folder, "data.validation=0.5", "data.test=0.5")
    (folder / "labels.txt").write_text("\n".join((*shapes.LABELS, "star")))
    with pytest.raises(InputError, match="every class needs a training pixel; received none of 'star'"):
        prepared(folder)
    (folder / "labels.txt").write_text("\n".join(shapes.LABELS[:2]))
    with pytest.raises(InputError, match=r"masks/.*class numbers must lie in 0\.\.1"):
        prepared(folder)
    recipe = load("segmentation")
    with pytest.raises(InputError, match="--data: must be given"):
        tasks.task("segmentation").prepare(recipe.settings, None, progress=SILENT)


def test_a_few_pictures_may_be_unreadable(folder):
    broken = folder / "images/00003.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    dataset = prepared(folder)[2]
    assert dataset.report["unreadable"] == 1
    assert dataset.report["skipped"][0]["name"] == "images/00003.png"
    assert 3 not in np.concatenate([dataset.train.rows, dataset.validation.rows, dataset.test.rows])
    with pytest.raises(InputError, match="at most 0% of the files may be unreadable"):
        prepared(folder, "data.max_unreadable=0")


def test_the_network_meets_every_side_on_its_way_up(folder):
    task, settings, dataset = prepared(folder)
    built = load("segmentation").build(settings, task.contract(settings, dataset))
    task.check(built.model, task.signature(settings, dataset, built))
    joined = [layer for layer in built.model.layers if type(layer).__name__ == "Concatenate"]
    assert [layer.output.shape[1] for layer in joined] == [2, 4, 8, 16]
    contract = replace(task.contract(settings, dataset), inputs={"image": (48, 48, 3)})
    with pytest.raises(InputError, match="multiple of 32"):
        load("segmentation").build(settings, contract)
    with pytest.raises(InputError, match="must be 5 numbers"):
        load("segmentation").build(
            resolve(load("segmentation"), ("model.filters=8,8",), smoke=True), task.contract(settings, dataset)
        )
