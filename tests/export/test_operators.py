"""Which operators of an int8 file may compute in float32."""

from __future__ import annotations

import pytest

from dltk.compress.plan import QuantizationPlan
from dltk.export.emit import PAIRS
from dltk.export.operators import allowed_float, minimum_runtime
from dltk.twin.graph import Graph, Layer

FOUND = ("Conv", "Gemm", "CONV_2D", "Mul", "ADD", "Softmax", "Reshape")
CONVOLUTION = Layer("stem", "Conv2D", {"activation": "linear"}, ())


def graph(*layers):
    return Graph((), {layer.name: layer for layer in layers}, (), ())


def plan(**floats):
    return QuantizationPlan("int8", "shared", floats=floats)


def test_nothing_that_computes_but_what_has_no_int8_kernel():
    allowed = allowed_float(graph(CONVOLUTION), plan(), FOUND)
    assert allowed.isdisjoint({"Conv", "Gemm", "CONV_2D", "Mul", "ADD"})
    assert {"Softmax", "Reshape"} <= allowed


@pytest.mark.parametrize(
    "layer",
    [
        Layer("act", "Activation", {"activation": "gelu"}, ()),
        Layer("leaky", "LeakyReLU", {"negative_slope": 0.2}, ()),
    ],
)
def test_an_activation_of_several_operators_frees_those_without_weights(layer):
    allowed = allowed_float(graph(CONVOLUTION, layer), plan(), FOUND)
    assert {"Mul", "ADD"} <= allowed
    assert allowed.isdisjoint({"Conv", "Gemm", "CONV_2D"})


def test_a_float_layer_without_weights_frees_no_weights():
    layer = Layer("norm", "Softmax", {}, ())
    allowed = allowed_float(graph(CONVOLUTION, layer), plan(norm="no int8 kernel"), FOUND)
    assert {"Mul", "ADD"} <= allowed
    assert allowed.isdisjoint({"Conv", "Gemm", "CONV_2D"})


def test_a_layer_with_weights_that_the_plan_leaves_float_frees_them():
    assert allowed_float(graph(CONVOLUTION), plan(stem="measured: too much lost"), FOUND) >= set(FOUND)


def test_every_format_has_a_minimum_runtime():
    for form in PAIRS:
        assert minimum_runtime(form)[-1].isdigit()
