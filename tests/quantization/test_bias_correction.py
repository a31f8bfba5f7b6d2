"""What is mended before int8 ranges are measured changes what 8 bits do, not what the model computes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import zoo
from dltk.quantization.bias_correction import bias_shifts, find_bias_correction, with_bias_shifts, with_corrections
from dltk.quantization.calibration import calibrate, weight_scales
from dltk.quantization.codes import is_clustered
from dltk.quantization.equalization import channel_factors, with_channel_factors
from dltk.quantization.fake_quant import rounded, simulated_errors
from dltk.quantization.observers import observe_tensors
from dltk.quantization.range_methods import clipped_range
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


@pytest.fixture(scope="module")
def case():
    """A residual network whose channels differ a hundredfold, as those of pretrained backbones do."""
    model = zoo.teach(zoo.shake(zoo.resnet()))
    graph = deployed_graph(read(model))
    layers = dict(graph.layers)
    rng = np.random.default_rng(1)
    for name, layer in layers.items():
        if layer.kind == "Conv2D" and layer.weights[0].shape[-1] > 3:
            spread = np.exp2(rng.integers(-4, 3, layer.weights[0].shape[-1])).astype(np.float32)
            layers[name] = replace(layer, weights=(layer.weights[0] * spread, layer.weights[1] * spread))
    return replace(graph, layers=layers), zoo.feeds(model, zoo.samples(model, 40))


def outputs(graph, tensors):
    return np.concatenate([found[0] for found in observe_tensors(graph, graph.outputs, tensors, list)])


def test_equalizing_keeps_the_function(case):
    graph, tensors = case
    factors = channel_factors(graph, tensors)
    assert factors
    before, after = outputs(graph, tensors), outputs(with_channel_factors(graph, factors), tensors)
    # Factors are powers of two: only sums round otherwise, where channels of other scales are added.
    assert np.abs(before - after).max() <= 1e-5 * max(1.0, np.abs(before).max())
    for factor in factors.values():
        assert (factor >= 1).all()
        assert (factor <= 16).all()
        assert (np.log2(factor) % 1 == 0).all()


def test_bias_correction_takes_the_shift_of_rounding_back(case):
    graph, tensors = case
    scales = weight_scales(graph)
    first = next(call for call in graph.calls if call.layer in scales)

    def mean(of):
        layers = dict(of.layers) | {first.layer: rounded(of.layers[first.layer], scales[first.layer])}
        found = observe_tensors(replace(of, layers=layers), first.outputs, tensors, list)
        return np.concatenate([value[0] for value in found]).mean(axis=(0, 1, 2))

    wanted = np.concatenate([v[0] for v in observe_tensors(graph, first.outputs, tensors, list)]).mean(axis=(0, 1, 2))
    corrected = with_bias_shifts(graph, bias_shifts(graph, tensors, scales))
    # A twentieth of the shift may stay: float32 sums over 40 x 16 x 16 places.
    assert np.abs(mean(corrected) - wanted).max() <= 0.05 * np.abs(mean(graph) - wanted).max()


def test_repair_brings_int8_nearer_to_float(case):
    graph, tensors = case
    found = find_bias_correction(graph, tensors)

    def error(of):
        plan = calibrate(of, tensors, limits={}, method="min-max")
        return simulated_errors(graph, of, {"plan": plan.tensors}, plan.weights, tensors)["plan"]

    assert error(found.graph) < error(graph)
    plan = calibrate(found.graph, tensors, limits={}, reference=graph)
    plan = replace(plan, factors=found.factors, shifts=found.shifts)
    again = with_corrections(graph, plan)
    for name, layer in found.graph.layers.items():
        assert all(np.array_equal(a, b) for a, b in zip(layer.weights, again.layers[name].weights, strict=True))


def test_ranges_are_chosen_on_samples_that_set_none(case):
    graph, tensors = case
    best = calibrate(graph, tensors, limits={})
    errors = best.calibration["held_out_error"]
    assert set(errors) == {"min-max", "mse", "percentile", "entropy"}
    assert best.calibration["method"] == min(errors, key=errors.get)
    for method in ("mse", "percentile", "entropy"):
        alone = calibrate(graph, tensors, limits={}, method=method).calibration
        assert alone["method"] == method
        assert alone["held_out_error"] == {method: errors[method]}


def test_clipping_gives_up_outliers_only():
    bell = np.exp(-0.5 * np.linspace(-40, 40, 2048) ** 2) * 1e6  # a deviation of 1 in a range of -40..40
    low, high = clipped_range(["a"], {"a": (-40.0, 40.0)}, {"a": bell.astype(np.int64)})
    assert -16 <= low <= -4
    assert 4 <= high <= 16
    flat = np.full(2048, 100)
    assert clipped_range(["a"], {"a": (-1.0, 1.0)}, {"a": flat}) == (-1.0, 1.0)
    assert clipped_range(["a", "b"], {"a": (-1.0, 1.0), "b": (0.0, 3.0)}, {}) == (-1.0, 3.0)


def bell(reach):
    """Counts of a standard normal distribution over -reach..reach, and of one value in 20 000 at each end."""
    edges = np.linspace(-reach, reach, 2049)
    found = np.diff(np.vectorize(math.erf)(edges / 2**0.5)) / 2 * 1e6
    found[[0, -1]] += 20
    return {"a": found.round().astype(np.int64)}


def test_percentile_clips_a_ten_thousandth():
    low, high = clipped_range(["a"], {"a": (-40.0, 40.0)}, bell(40), "percentile")
    # Half of it at each end, less the outliers: 3e-5 of a normal distribution lie over 4.0 deviations.
    assert high == pytest.approx(4.0, abs=0.1)
    assert low == pytest.approx(-4.0, abs=0.1)
    few = {"a": np.full(2048, 100)}
    assert clipped_range(["a"], {"a": (0.0, 1.0)}, few, "percentile") == (0.0, 1.0)  # no value is that rare


def test_entropy_clips_what_is_far_out_and_keeps_what_is_flat():
    low, high = clipped_range(["a"], {"a": (-16.0, 16.0)}, bell(16), "entropy")
    assert -8 <= low <= -4
    assert 4 <= high <= 8
    assert clipped_range(["a"], {"a": (0.0, 1.0)}, {"a": np.full(2048, 100)}, "entropy") == (0.0, 1.0)


def test_zeros_behind_a_relu_do_not_narrow_a_range():
    """Half of all values are zero, and 8 bits tell zero exactly."""
    counts = (np.exp(-0.5 * np.linspace(0, 4, 2048) ** 2) * 1e4).astype(np.int64)
    counts[0] = counts.sum()
    _, high = clipped_range(["a"], {"a": (0.0, 4.0)}, {"a": counts}, "entropy")
    assert high >= 3


@pytest.mark.parametrize("method", ["mse", "percentile", "entropy"])
def test_a_range_holds_zero_and_stays_inside_what_was_seen(method):
    counts = {"a": np.full(2048, 5), "b": np.eye(1, 2048, 7, dtype=np.int64)[0], "c": np.zeros(2048, np.int64)}
    for name, limits in (("a", (2.0, 3.0)), ("a", (-3.0, -2.0)), ("b", (-1.0, 5.0)), ("c", (-1.0, 1.0))):
        low, high = clipped_range([name], {name: limits}, counts, method)
        assert min(limits[0], 0) <= low <= high <= max(limits[1], 0)


def test_clustered_kernels_are_left_alone(case):
    """A factor on the channels they read would make many values of their few."""
    graph, tensors = case
    readers = [name for name, layer in graph.layers.items()
               if layer.kind == "Conv2D" and layer.weights[0].size > 256]  # fmt: skip
    layers = dict(graph.layers)
    for name in readers:
        kernel, bias = layers[name].weights
        ends = np.sign(kernel) * np.abs(kernel).max(axis=(0, 1, 2))
        layers[name] = replace(layers[name], weights=(ends.astype(np.float32), bias))
        assert is_clustered(layers[name])
    graph = replace(graph, layers=layers)
    found = find_bias_correction(graph, tensors)
    assert all(is_clustered(found.graph.layers[name]) for name in readers)
    assert found.shifts
