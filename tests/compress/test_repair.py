"""What is mended before int8 ranges are measured changes what 8 bits do, not what the model computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zoo
from dltk.compress.clipping import clipped
from dltk.compress.equalize import channel_factors, equalized
from dltk.compress.fakequant import rounded, simulated_error
from dltk.compress.observe import observe
from dltk.compress.ranges import calibrate, weight_scales
from dltk.compress.repair import bias_shifts, find_repair, repaired, with_bias_shifts
from dltk.twin.read import read
from dltk.twin.rewrite import deployed


@pytest.fixture(scope="module")
def case():
    """A residual network whose channels differ a hundredfold, as those of pretrained backbones do."""
    model = zoo.teach(zoo.shake(zoo.resnet()))
    graph = deployed(read(model))
    layers = dict(graph.layers)
    rng = np.random.default_rng(1)
    for name, layer in layers.items():
        if layer.kind == "Conv2D" and layer.weights[0].shape[-1] > 3:
            spread = np.exp2(rng.integers(-4, 3, layer.weights[0].shape[-1])).astype(np.float32)
            layers[name] = replace(layer, weights=(layer.weights[0] * spread, layer.weights[1] * spread))
    return replace(graph, layers=layers), zoo.feeds(model, zoo.samples(model, 40))


def outputs(graph, tensors):
    return np.concatenate([found[0] for found in observe(graph, graph.outputs, tensors, list)])


def test_equalizing_keeps_the_function(case):
    graph, tensors = case
    factors = channel_factors(graph, tensors)
    assert factors
    before, after = outputs(graph, tensors), outputs(equalized(graph, factors), tensors)
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
        found = observe(replace(of, layers=layers), first.outputs, tensors, list)
        return np.concatenate([value[0] for value in found]).mean(axis=(0, 1, 2))

    wanted = np.concatenate([v[0] for v in observe(graph, first.outputs, tensors, list)]).mean(axis=(0, 1, 2))
    corrected = with_bias_shifts(graph, bias_shifts(graph, tensors, scales))
    # A twentieth of the shift may stay: float32 sums over 40 x 16 x 16 places.
    assert np.abs(mean(corrected) - wanted).max() <= 0.05 * np.abs(mean(graph) - wanted).max()


def test_repair_brings_int8_nearer_to_float(case):
    graph, tensors = case
    found = find_repair(graph, tensors)

    def error(of):
        plan = calibrate(of, tensors, limits={}, method="min-max")
        return simulated_error(graph, of, plan.tensors, plan.weights, tensors)

    assert error(found.graph) < error(graph)
    plan = calibrate(found.graph, tensors, limits={}, reference=graph)
    plan = replace(plan, factors=found.factors, shifts=found.shifts)
    again = repaired(graph, plan)
    for name, layer in found.graph.layers.items():
        assert all(np.array_equal(a, b) for a, b in zip(layer.weights, again.layers[name].weights, strict=True))


def test_ranges_are_chosen_on_samples_that_set_none(case):
    graph, tensors = case
    best = calibrate(graph, tensors, limits={})
    errors = best.calibration["held_out_error"]
    assert set(errors) == {"min-max", "mse"}
    assert best.calibration["method"] == min(errors, key=errors.get)
    assert calibrate(graph, tensors, limits={}, method="mse").calibration["method"] == "mse"


def test_clipping_gives_up_outliers_only():
    bell = np.exp(-0.5 * np.linspace(-40, 40, 2048) ** 2) * 1e6  # a deviation of 1 in a range of -40..40
    low, high = clipped(["a"], {"a": (-40.0, 40.0)}, {"a": bell.astype(np.int64)})
    assert -16 <= low <= -4
    assert 4 <= high <= 16
    flat = np.full(2048, 100)
    assert clipped(["a"], {"a": (-1.0, 1.0)}, {"a": flat}) == (-1.0, 1.0)
    assert clipped(["a", "b"], {"a": (-1.0, 1.0), "b": (0.0, 3.0)}, {}) == (-1.0, 3.0)
