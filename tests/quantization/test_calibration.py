"""Calibration: what is measured, and on what."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from dltk.quantization.calibration import calibrate, input_digest, weight_scales
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")


@pytest.fixture(scope="module")
def case():
    model = zoo.teach(zoo.shake(zoo.resnet()))
    return model, deployed_graph(read(model)), zoo.feeds(model, zoo.samples(model, 30))


def test_ranges_are_those_of_the_samples(case):
    model, graph, tensors = case
    plan = calibrate(graph, tensors, limits={}, method="min-max")
    logits = zoo.expected(model, list(tensors.values()))[0][:24]  # a fifth of the 30 sets no ranges
    grid = plan.tensors[graph.outputs[0]]
    # Half a step: the zero point is rounded so that zero lies on the grid.
    assert grid.low == pytest.approx(min(logits.min(), 0), abs=grid.scale)
    assert grid.high == pytest.approx(max(logits.max(), 0), abs=grid.scale)
    assert plan.ranges == "shared"
    assert plan.calibration["samples"] == 30


def test_a_known_limit_counts_more_than_the_samples(case):
    _, graph, tensors = case
    grid = calibrate(graph, tensors, limits={"image": (-4.0, 4.0)}).tensors["image"]
    assert grid.high - grid.low == pytest.approx(8.0, rel=1e-6)


def test_calibration_repeats(case):
    _, graph, tensors = case
    assert calibrate(graph, tensors, limits={}).tensors == calibrate(graph, tensors, limits={}).tensors


def test_the_digest_sees_every_change(case):
    _, _, tensors = case
    changed = {name: np.where(value == value.max(), 0, value) for name, value in tensors.items()}
    assert input_digest(tensors) == input_digest(dict(tensors))
    assert input_digest(tensors) != input_digest(changed)


def test_recurrent_models_keep_their_samples():
    model = zoo.lstm()
    tensors = zoo.feeds(model, zoo.samples(model, 4))
    plan = calibrate(deployed_graph(read(model)), tensors, limits={})
    assert plan.ranges == "native"
    assert not plan.tensors
    np.testing.assert_array_equal(plan.samples["series"], tensors["series"])


def test_weights_have_a_scale_an_output_channel():
    graph = deployed_graph(read(zoo.shake(zoo.squeeze())))
    for name, scales in weight_scales(graph).items():
        layer = graph.layers[name]
        assert scales.shape == layer.weights[1].shape if len(layer.weights) > 1 else scales.ndim == 1
        assert scales.max() * 127 == pytest.approx(np.abs(layer.weights[0]).max(), rel=1e-6)
