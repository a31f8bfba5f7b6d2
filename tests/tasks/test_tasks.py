"""Tasks: what they ask of a model, what they tell the device, what they draw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json
from dltk.base.progress import SILENT
from dltk.data.dataset import Split
from dltk.edge.families import family
from dltk.edge.signature import Signature
from dltk.recipe import Built
from dltk.recipe.load import load, resolve
from dltk.tasks.base import spread

SCALE = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}


def prepared(name, data, *pairs):
    recipe = load(name)
    settings = resolve(recipe, pairs, smoke=True)
    task = tasks.task(recipe.task)
    return task, settings, task.prepare(settings, data, progress=SILENT)


@pytest.fixture(scope="module")
def digits():
    return prepared("cnn", "digits")


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "series.csv"
    rows = "\n".join(f"{hour},{20 + hour % 24},{hour / 10},5" for hour in range(200))
    path.write_text(f"time,load,rise,still\n{rows}\n")
    return path


def test_unknown_tasks_are_named():
    with pytest.raises(InputError, match="Did you mean 'forecast'"):
        tasks.task("forcast")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_task_names_its_family_and_trainer(name):
    task = tasks.task(name)
    assert task.name == name
    assert family(task.family).name == task.family
    assert task.trainer in ("fit", "gan")


@pytest.mark.parametrize(("recipe", "data"), [("cnn", "digits"), ("forecast", None), ("gan", "digits")])
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


def test_spread_keeps_the_shares_of_classes():
    targets = np.repeat([0, 1, 2], [60, 30, 10])
    split = Split(np.zeros((100, 1)), np.arange(100), targets)
    counts = np.bincount(targets[spread(split, count=20, seed=3)], minlength=3)
    assert list(counts) == [12, 6, 2]
    assert sorted(spread(split, count=1000, seed=3)) == list(range(100))


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


def test_forecast_windows_do_not_overlap_in_what_is_forecast(series):
    _, settings, dataset = prepared("forecast", str(series), "data.columns=load")
    window, horizon = settings.data.window, settings.data.horizon
    spans = {
        side: {row + window + step for row in getattr(dataset, side).rows for step in range(horizon)}
        for side in ("train", "validation", "test")
    }
    assert not spans["train"] & spans["validation"]
    assert not spans["validation"] & spans["test"]
    assert max(spans["train"]) < min(spans["validation"]) < min(spans["test"])
    assert max(spans["test"]) == 199


def test_forecast_targets_follow_their_window_and_bring_the_metric_to_zero(series):
    task, settings, dataset = prepared("forecast", str(series))
    assert dataset.labels == ("load", "rise", "still")
    signature = task.signature(settings, dataset, Built(None, ()))
    (metric,) = family("series").metrics
    perfect = {"forecast": dataset.test.targets}
    assert metric.scores(perfect, dataset.test.targets, signature).max() == 0.0
    row = dataset.test.rows[0]
    mean, deviation = np.array(dataset.report["mean"]), np.array(dataset.report["std"])
    hours = row + settings.data.window + np.arange(settings.data.horizon)
    wanted = np.stack([20 + hours % 24, hours / 10, np.full(len(hours), 5)], axis=1)
    # float32 standardized values brought back: a few units in the last place of 20
    assert dataset.test.targets[0] * deviation + mean == pytest.approx(wanted, abs=1e-4)
    assert deviation[2] == 1.0  # a column that never changes is not divided by nothing


def test_forecast_refuses_what_is_too_short_or_no_number(tmp_path, series):
    with pytest.raises(InputError, match="needs more rows"):
        prepared("forecast", str(series), "data.window=180")
    with pytest.raises(InputError, match="needs a column 'lood'"):
        prepared("forecast", str(series), "data.columns=lood")
    broken = tmp_path / "broken.csv"
    broken.write_text("time,load\n1,2\n2,x\n")
    with pytest.raises(InputError, match=r"broken\.csv.*3.*finite number"):
        prepared("forecast", str(broken))
    with pytest.raises(InputError, match="must exist"):
        prepared("forecast", str(tmp_path / "none.csv"))


def test_seed_numbers_of_calibration_and_evaluation_differ():
    task, _, dataset = prepared("gan", "digits")
    calibration = task.calibration(dataset, count=64, seed=0)
    evaluation, _ = task.evaluation(dataset, limit_bytes=1, seed=0)
    assert not set(calibration) & set(evaluation)
