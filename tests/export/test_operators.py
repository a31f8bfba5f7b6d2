"""Which operators of an int8 file may compute in float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dltk.compress.plan import QuantizationPlan
from dltk.export.emit import PAIRS
from dltk.export.operators import allowed_float, minimum_runtime
from dltk.twin.graph import Call, Graph, Layer, Ref

FOUND = {"Conv": 1, "Gemm": 1, "CONV_2D": 1, "Mul": 4, "ADD": 1, "Softmax": 1, "Reshape": 2}
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


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_layer_with_weights_that_the_plan_leaves_float_frees_as_many_operators(count):
    """One layer used twice: two operators, and never a third."""
    calls = tuple(Call("stem", (Ref(source),), {}, (target,)) for source, target in (("a", "b"), ("b", "c")))
    twice = replace(graph(CONVOLUTION), calls=calls)
    allowed = allowed_float(twice, plan(stem="measured: too much lost"), {"FusedConv": count, "Max": 2})
    assert ("FusedConv" in allowed) is (count <= 2)
    assert "Max" in allowed


def test_layers_of_several_operators_free_all():
    layer = Layer("attend", "MultiHeadAttention", {}, ())
    assert allowed_float(graph(CONVOLUTION, layer), plan(attend="no kernel"), FOUND) >= set(FOUND)


def test_every_format_has_a_minimum_runtime():
    for form in PAIRS:
        assert minimum_runtime(form)[-1].isdigit()


@pytest.mark.parametrize("form", PAIRS)
def test_the_minimum_runtime_is_the_oldest_of_its_row_on_the_page_and_loads_everything(form):
    name, version = minimum_runtime(form).split()
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "runtimes.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| {name} "))
    first, _, *answers = (cell.strip() for cell in row.strip("|").split("|"))
    assert first.removeprefix(f"{name} ").split(", ")[0] == version
    assert set(answers) <= {"yes", "-"}
    assert answers.count("yes") == len(PAIRS[form])
