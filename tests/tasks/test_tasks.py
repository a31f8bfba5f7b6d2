"""Tasks: what they ask of a model, what they tell the device, what they draw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import pairs
import sounds
from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json
from dltk.base.progress import SILENT
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.recipe import Built
from dltk.recipe.load import load, resolve
from dltk.recipe.settings import assign
from dltk.training.trainers.table import TRAINERS

SCALE = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}


def prepared(name, data, *pairs):
    recipe = load(name)
    settings = resolve(recipe, pairs, smoke=True)
    task = tasks.task(recipe.task)
    return task, settings, task.prepare(settings, data, progress=SILENT)


@pytest.fixture(scope="module")
def digits():
    return prepared("cnn", "digits")


def test_unknown_tasks_are_named():
    with pytest.raises(InputError, match="Did you mean 'forecast'"):
        tasks.task("forcast")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_task_names_its_family_and_trainer(name):
    task = tasks.task(name)
    assert task.name == name
    assert family(task.family).name == task.family
    assert task.trainer in TRAINERS


@pytest.mark.parametrize(
    ("recipe", "data"), [("cnn", "digits"), ("forecast", None), ("gan", "digits"), ("control", None)]
)
def test_signature_fits_contract_and_family(recipe, data):
    task, settings, dataset = prepared(recipe, data)
    contract = task.contract(settings, dataset)
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,) if recipe == "cnn" else ()))
    assert {spec.name: spec.sample_shape for spec in signature.inputs} == dict(contract.inputs)
    assert {spec.name: spec.sample_shape for spec in signature.outputs} == dict(contract.outputs)
    raws = task.calibration(dataset, count=5, seed=0)
    tensors = family(signature.family).tensors(raws, signature)
    assert {name: tensor.shape[1:] for name, tensor in tensors.items()} == dict(contract.inputs)
    read = Signature.from_dict(parse_json(canonical_json(signature.as_dict()), "here"), "here")
    assert (read.inputs, read.outputs, read.labels) == (signature.inputs, signature.outputs, signature.labels)


def test_a_softmax_is_settled_at_the_temperature_that_was_fitted(digits):
    task, settings, dataset = digits
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,)))
    settled = task.finalize_signature(signature, np.zeros((0, 10)), dataset, {"calibration": {"temperature": 2.5}})
    assert settled.postprocess == ({"op": "softmax", "temperature": 2.5},)
    assert task.finalize_signature(settled, np.zeros((0, 10)), dataset, {}) == settled  # nothing was fitted: as it was


@pytest.fixture
def intents(tmp_path):
    path = tmp_path / "intents.csv"
    rows = "\n".join(f"where is my {what} {number},{what}" for what in ("card", "pin") for number in range(20))
    path.write_text(f"text,label\n{rows}\n")
    return path


def test_a_text_model_may_ask_for_positions_and_for_nothing_else(intents):
    task, settings, dataset = prepared("text-classification", str(intents), "data.length=7")
    contract = task.contract(settings, dataset)
    assert contract.labels == ("card", "pin")
    assert dict(contract.inputs) == {"tokens": (7,)}
    highest = contract.input_ranges["tokens"][1]

    def signature(*names):
        model = SimpleNamespace(inputs=[SimpleNamespace(name=name) for name in names])
        return task.signature(settings, dataset, Built(model, ()))

    both = signature("positions", "tokens")
    assert [(spec.name, spec.value_range) for spec in both.inputs] == [("positions", (0, 7)), ("tokens", (0, highest))]
    raws = task.calibration(dataset, count=5, seed=0)
    tensors = family("text").tensors(raws, both)
    assert list(tensors) == ["positions", "tokens"]
    assert 0 < tensors["tokens"].max() <= highest
    bare = Signature.from_dict(parse_json(canonical_json(both.as_dict()), "here"), "here")
    again = bare.with_assets(dataset.assets.__getitem__)
    assert (family("text").tensors(raws, again)["tokens"] == tensors["tokens"]).all()
    with pytest.raises(InputError, match="must be tokens, and positions or nothing; received tokens, mask"):
        signature("tokens", "mask")


def test_texts_need_data():
    with pytest.raises(InputError, match="--data: must be given"):
        prepared("text-classification", None)


def test_check_names_what_does_not_fit(digits):
    task, settings, dataset = digits
    signature = task.signature(settings, dataset, Built(None, (), (SCALE,)))

    def model(inputs, outputs):
        tensors = [[SimpleNamespace(name=f"t{i}", shape=s) for i, s in enumerate(side)] for side in (inputs, outputs)]
        return SimpleNamespace(inputs=tensors[0], outputs=tensors[1])

    task.check(model([(None, 16, 16, 3)], [(None, 10)]), signature)
    task.check(model([(1, None, None, 3)], [(1, 10)]), signature)
    with pytest.raises(InputError, match=r"input 't0': must have the shape \(batch, 16, 16, 3\)"):
        task.check(model([(None, 32, 32, 3)], [(None, 10)]), signature)
    with pytest.raises(InputError, match=r"output 't0': must have the shape \(batch, 10\)"):
        task.check(model([(None, 16, 16, 3)], [(None, 9)]), signature)
    with pytest.raises(InputError, match="outputs: must be 1; received 2"):
        task.check(model([(None, 16, 16, 3)], [(None, 10), (None, 10)]), signature)


def test_value_range_follows_the_scale(digits):
    task, settings, dataset = digits
    low, high = task.signature(settings, dataset, Built(None, (), (SCALE,))).inputs[0].value_range
    assert (low, high) == pytest.approx((-1.0, 1.0))
    assert task.signature(settings, dataset, Built(None, ())).inputs[0].value_range == (0.0, 255.0)


def test_what_is_drawn_is_seeded_stratified_and_on_its_side(digits):
    task, _, dataset = digits
    raws, targets = task.golden(dataset, count=10, seed=0)
    assert sorted(targets) == list(range(10))  # ten samples of ten classes: one of each
    again, _ = task.golden(dataset, count=10, seed=0)
    assert (raws == again).all()
    assert (raws != task.golden(dataset, count=10, seed=1)[0]).any()
    kept, _ = task.evaluation(dataset, limit_bytes=100 * raws[0].nbytes + 1, seed=0)
    assert len(kept) == 100
    everything, _ = task.evaluation(dataset, limit_bytes=10**9, seed=0)
    assert len(everything) == len(dataset.test)
    trained = {image.tobytes() for image in dataset.train.take(slice(None))}
    assert {image.tobytes() for image in task.calibration(dataset, count=50, seed=0)} <= trained


def test_labels_in_the_order_of_a_models_outputs(digits):
    _, _, plain = digits
    order = ",".join(reversed(plain.labels))
    _, _, turned = prepared("cnn", "digits", f"data.labels={order}")
    assert turned.labels == plain.labels[::-1]
    assert (turned.test.targets == 9 - plain.test.targets).all()
    assert turned.digest != plain.digest
    with pytest.raises(InputError, match=r"data\.labels: must name each of"):
        prepared("cnn", "digits", "data.labels=a,b")


def test_images_need_data():
    for name in ("cnn", "gan"):
        with pytest.raises(InputError, match="--data: must be given"):
            prepared(name, None)


def test_seed_numbers_of_calibration_and_evaluation_differ():
    task, _, dataset = prepared("gan", "digits")
    calibration = task.calibration(dataset, count=64, seed=0)
    evaluation, _ = task.evaluation(dataset, limit_bytes=1, seed=0)
    assert not set(calibration) & set(evaluation)


@pytest.fixture
def words(tmp_path):
    for word, pitch in (("high", 900), ("low", 300)):
        for number in range(12):
            name = tmp_path / "words" / word / f"{'abc'[number % 3]}_{number}.wav"
            sounds.write(name, sounds.tone(pitch + number, seed=number) * 0.1 * (1 + number % 5))
    return tmp_path / "words"


def test_what_a_keyword_model_hears_is_standardized_by_the_training_samples(words):
    pairs = ("data.group_pattern={group}_*", "data.validation=0.34")
    task, settings, dataset = prepared("audio-keyword", str(words), *pairs)
    contract = task.contract(settings, dataset)
    signature = task.signature(settings, dataset, Built(None, ()))
    assert signature.inputs[0].sample_shape == contract.input_shape
    heard = family("audio").tensors(dataset.train.take(slice(None)), signature)["sound"]
    assert heard.shape[1:] == contract.input_shape
    # float32 sums; bands whose deviation is raised to the floor stay below 1
    assert heard.mean(axis=(0, 1, 3)) == pytest.approx(np.zeros(heard.shape[2]), abs=1e-4)
    assert (heard.std(axis=(0, 1, 3)) < 1 + 1e-3).all()
    assert parse_json(canonical_json(signature.as_dict()), "here")["preprocess"][0]["op"] == "sound"


def test_spectrum_settings_must_fit_the_recordings(words):
    for pair in ("spectrum.frame_ms=600", "spectrum.low=5000", "spectrum.hop_ms=900"):
        task, settings, dataset = prepared("audio-keyword", str(words))
        changed = assign(settings, [pair])
        with pytest.raises(InputError, match="settings spectrum: must give frames"):
            task.contract(changed, dataset)
        with pytest.raises(InputError, match="settings spectrum: must give frames"):
            task.prepare(changed, str(words), progress=SILENT)


def test_recordings_need_data():
    with pytest.raises(InputError, match="--data: must be given"):
        prepared("audio-keyword", None)


@pytest.mark.parametrize(
    ("towers", "inputs"), [("both", ["image", "tokens"]), ("image", ["image"]), ("text", ["tokens"])]
)
def test_the_signature_has_the_towers_of_the_model(towers, inputs, tmp_path):
    task, settings, dataset = prepared("multimodal", str(pairs.write(tmp_path, 60)))
    contract = task.contract(settings, dataset)
    assert list(contract.inputs) == ["image", "tokens"]
    model = SimpleNamespace(inputs=[SimpleNamespace(name=f"{name}:0", shape=()) for name in inputs])
    signature = task.signature(settings, dataset, Built(model, (), (SCALE,)))
    tensors = family(signature.family).tensors(task.golden(dataset, count=6, seed=0)[0], signature)
    assert {name: tensor.shape[1:] for name, tensor in tensors.items()} == {
        name: contract.inputs[name] for name in inputs
    }
    assert signature.assets.keys() == set(signature.asset_names)
    with pytest.raises(InputError, match="model: inputs: must be image and tokens, or one of them; received sound"):
        task.signature(settings, dataset, Built(SimpleNamespace(inputs=[SimpleNamespace(name="sound")]), ()))


def test_images_with_texts_need_data():
    with pytest.raises(InputError, match="--data: must be given"):
        prepared("multimodal", None)
