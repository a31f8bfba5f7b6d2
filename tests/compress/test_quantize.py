"""Quantize decides and changes no weight; what it decided is kept whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small
from dltk.base.errors import InputError, StepOrderError
from dltk.compress.candidate import Candidate
from dltk.compress.quantize import Quantize, quantize
from dltk.edge.families import family
from dltk.export.emit import LEFT
from dltk.quantization.calibration import input_digest
from dltk.quantization.plan import QuantizationPlan
from dltk.quantization.scheme import KEPT

pytestmark = small.QUIET


@pytest.fixture(scope="module")
def bench(trained, tmp_path_factory):
    return small.bench(trained.path, tmp_path_factory.mktemp("quantize") / "step.npz")


@pytest.fixture(scope="module")
def outcome(bench):
    return quantize(Candidate(bench.source), Quantize(calibration=60), bench)


def test_a_plan_comes_back_from_its_file_as_it_was(outcome, tmp_path):
    plan = outcome.candidate.plan
    plan.save(tmp_path / "one.npz")
    loaded = QuantizationPlan.load(tmp_path / "one.npz")
    arrays = ("weights", "factors", "shifts")
    bare = {name: {} for name in arrays}
    assert replace(loaded, **bare) == replace(plan, **bare)
    for name in arrays:
        ours, theirs = getattr(plan, name), getattr(loaded, name)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[layer], theirs[layer]) for layer in ours)
    loaded.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_which_samples_set_the_ranges_is_recorded(bench, outcome):
    (tensors,) = family("classification").tensors(bench.calibration(60), bench.signature).values()
    calibration = outcome.candidate.plan.calibration
    assert calibration["samples"] == 60
    assert calibration["digest"] == input_digest({"image": tensors})
    assert outcome.figures.items() >= {"precision": "int8", "ranges": "shared", "calibration": calibration}.items()


def test_without_a_number_the_settings_of_the_run_say_how_many(bench):
    assert quantize(Candidate(bench.source), Quantize(), bench).candidate.plan.calibration["samples"] == 50


def test_no_weight_changes_and_every_layer_is_told(bench, outcome):
    assert outcome.candidate.model is bench.source
    reasons = {item.layer: item.reason for item in outcome.skipped}
    assert "logits" in outcome.changed
    assert "no weights" in reasons.values()
    assert not {*outcome.changed} & {*reasons}
    assert outcome.warnings == ()


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_other_precisions_need_no_samples(bench, precision):
    def none(count):
        raise AssertionError("asked for samples")

    done = quantize(Candidate(bench.source), Quantize(precision=precision), replace(bench, calibration=none))
    plan = done.candidate.plan
    assert (plan.precision, plan.ranges, dict(plan.tensors)) == (precision, "none", {})
    assert any("slower than float32" in text for text in done.warnings) is (precision == "dynamic")


def test_dynamic_says_which_layers_its_file_holds_in_float32(bench):
    """The converter leaves tensors of fewer than 1024 weights alone."""
    done = quantize(Candidate(bench.source), Quantize(precision="dynamic"), bench)
    left = {item.layer for item in done.skipped if item.reason == LEFT}
    small_ones = {layer.name for layer in bench.source.layers if 0 < layer.count_params() < 1000}
    assert "logits" in left
    assert left == set(done.candidate.plan.floats) == {name for name in small_ones if "normalization" not in name}
    assert done.changed
    assert not left & {*done.changed}


def test_twice_is_refused(bench, outcome):
    with pytest.raises(StepOrderError, match="may be given once"):
        quantize(outcome.candidate, Quantize(), bench)


def test_loops_get_the_ranges_of_each_format_and_the_report_says_why(bench):
    import keras

    from dltk.edge.bundle.signature import TensorSpec

    series = keras.Input((12, 1), name="series")
    model = keras.Model(series, keras.layers.Dense(3)(keras.layers.LSTM(4, name="lstm")(series)))
    signature = replace(
        bench.signature, task="forecast", family="series", labels=(), postprocess=(),
        preprocess=({"op": "window", "length": 12, "columns": ["load"]},),
        inputs=(TensorSpec("series", "float32", (None, 12, 1), ("batch", "time", "column"), None),),
    )  # fmt: skip
    raws = np.sin(np.arange(20 * 12, dtype=np.float32)).reshape(20, 12, 1)
    changed = replace(bench, source=model, signature=signature, calibration=lambda count: raws[:count])
    done = quantize(Candidate(model), Quantize(calibration=20), changed)
    assert done.candidate.plan.ranges == "native"
    assert np.array_equal(done.candidate.plan.samples["series"], raws)
    assert any("because of lstm" in text for text in done.warnings)


def test_the_best_of_all_ways_to_find_ranges_is_named(outcome):
    calibration = outcome.figures["calibration"]
    errors = calibration["held_out_error"]
    assert set(errors) == {"min-max", "mse", "percentile", "entropy"}
    assert calibration["method"] == min(errors, key=errors.get)


def test_kept_layers_are_skipped_with_the_reason(bench, outcome):
    first, *_, last = (name for name in outcome.changed)
    done = quantize(Candidate(bench.source), Quantize(calibration=60, ranges="min-max", keep=(first, last)), bench)
    plan = done.candidate.plan
    assert {item.layer: item.reason for item in done.skipped}.items() >= {first: KEPT, last: KEPT}.items()
    assert not {first, last} & {*done.changed, *plan.weights}
    assert plan.borders


def test_how_weights_are_stored_is_reported(bench):
    settings = Quantize(calibration=60, ranges="min-max", repair=False, reduce_range=True, per_tensor_dense=True)
    done = quantize(Candidate(bench.source), settings, bench)
    assert (done.candidate.plan.levels, done.candidate.plan.per_tensor_dense) == (63, True)
    assert done.figures.items() >= {"weight_levels": 63, "per_tensor_dense": True}.items()
    assert done.candidate.plan.weights["logits"].shape == (1,)


def test_16_bits_take_the_ranges_as_they_are(bench):
    done = quantize(Candidate(bench.source), Quantize(calibration=60, precision="int16x8"), bench)
    assert done.candidate.plan.precision == "int16x8"
    assert set(done.figures["calibration"]["held_out_error"]) == {"min-max"}
    assert {grid.zero_point for grid in done.candidate.plan.tensors.values()} == {0}


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (
            {"keep": ("logit",)},
            "quantize:keep=logit: names no layer of the model; received logit. Did you mean 'logits'",
        ),
        ({"precision": "float16", "keep": ("logits",)}, "quantize:keep: does not go with"),
        ({"precision": "int16x8", "reduce_range": True}, "quantize:reduce_range: does not go with"),
        ({"precision": "dynamic", "per_tensor_dense": True}, "quantize:per_tensor_dense: does not go with"),
        ({"method": "qat", "reduce_range": True}, "quantize:reduce_range: does not go with"),
        ({"precision": "int16x8", "ranges": "entropy"}, "quantize:ranges=entropy: .* 16 bits"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(bench, settings, rule):
    def none(count):
        raise AssertionError("asked for samples")

    with pytest.raises(InputError, match=rule):
        quantize(Candidate(bench.source), Quantize(**settings), replace(bench, calibration=none))


@pytest.mark.parametrize("settings", [{"keep": ("dense",)}, {"precision": "int16x8"}])
def test_recurrent_layers_have_no_ranges_for_that(bench, settings):
    import keras

    series = keras.Input((12, 1), name="series")
    model = keras.Model(series, keras.layers.Dense(3, name="dense")(keras.layers.LSTM(4, name="lstm")(series)))
    with pytest.raises(InputError, match="recurrent layers are calibrated by each runtime for itself; received lstm"):
        quantize(Candidate(model), Quantize(**settings), bench)
