"""Which operators of an int8 file may compute in float32."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from dltk.export.emit import PAIRS
from dltk.export.operators import allowed_float_operators, minimum_runtime
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Call, Graph, Layer, Ref

FOUND = {"Conv": 1, "Gemm": 1, "CONV_2D": 1, "Mul": 4, "ADD": 1, "Softmax": 1, "Reshape": 2}
CONVOLUTION = Layer("stem", "Conv2D", {"activation": "linear"}, ())


def graph(*layers):
    return Graph((), {layer.name: layer for layer in layers}, (), ())


def plan(**floats):
    return QuantizationPlan("int8", "shared", floats=floats)


def test_nothing_that_computes_but_what_has_no_int8_kernel():
    allowed = allowed_float_operators(graph(CONVOLUTION), plan(), FOUND)
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
    allowed = allowed_float_operators(graph(CONVOLUTION, layer), plan(), FOUND)
    assert {"Mul", "ADD"} <= allowed
    assert allowed.isdisjoint({"Conv", "Gemm", "CONV_2D"})


def test_a_float_layer_without_weights_frees_no_weights():
    layer = Layer("norm", "Softmax", {}, ())
    allowed = allowed_float_operators(graph(CONVOLUTION, layer), plan(norm="no int8 kernel"), FOUND)
    assert {"Mul", "ADD"} <= allowed
    assert allowed.isdisjoint({"Conv", "Gemm", "CONV_2D"})


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_layer_with_weights_that_the_plan_leaves_float_frees_as_many_operators(count):
    """One layer used twice: two operators, and never a third."""
    calls = tuple(Call("stem", (Ref(source),), {}, (target,)) for source, target in (("a", "b"), ("b", "c")))
    twice = replace(graph(CONVOLUTION), calls=calls)
    allowed = allowed_float_operators(twice, plan(stem="measured: too much lost"), {"FusedConv": count, "Max": 2})
    assert ("FusedConv" in allowed) is (count <= 2)
    assert "Max" in allowed


def test_layers_of_several_operators_free_all():
    layer = Layer("attend", "MultiHeadAttention", {}, ())
    assert allowed_float_operators(graph(CONVOLUTION, layer), plan(attend="no kernel"), FOUND) >= set(FOUND)


def using(**versions):
    """A TFLite file that asks for these versions of operators."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT()
    for name, number in versions.items():
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), number
        model.operatorCodes = [*(model.operatorCodes or []), code]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("versions", "oldest"),
    [
        ({"CONV_2D": 3, "FULLY_CONNECTED": 4}, "tflite-runtime 2.14.0"),
        ({"CONV_2D": 7, "FULLY_CONNECTED": 10, "WHILE": 1}, "tflite-runtime 2.14.0"),
        ({"CONV_2D": 8}, "ai-edge-litert 1.0.0"),
        ({"CONV_2D": 3, "FULLY_CONNECTED": 12}, "ai-edge-litert 1.0.0"),
        ({"REDUCE_WINDOW": 1}, "ai-edge-litert 1.0.0"),
        ({"FULLY_CONNECTED": 14}, f"ai-edge-litert {version('ai-edge-litert')}"),
    ],
)
def test_a_tflite_file_names_the_oldest_runtime_that_has_its_operators(versions, oldest):
    assert minimum_runtime("tflite", using(**versions)) == oldest


@pytest.mark.parametrize(("name", "form"), [("ai-edge-litert 1.0.0", "tflite"), (minimum_runtime("onnx", b""), "onnx")])
def test_the_minimum_runtime_is_the_oldest_of_its_row_on_the_page_and_loads_everything(name, form):
    package, oldest = name.split()
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "runtimes.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| {package} "))
    first, _, *answers = (cell.strip() for cell in row.strip("|").split("|"))
    assert first.removeprefix(f"{package} ").split(", ")[0] == oldest
    assert set(answers) <= {"yes", "-"}
    assert answers.count("yes") == len(PAIRS[form])
