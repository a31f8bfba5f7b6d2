"""What a plan asks beside ranges reaches both files: float layers, 7-bit weights, one scale a Dense, 16 bits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from onnx import load_from_string, numpy_helper
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

import zoo
from dltk.edge.metrics import mean_cosine, top1_agreement
from dltk.edge.runtime.sessions import open_session
from dltk.export import onnx, tflite
from dltk.export.operators import allowed_float_operators
from dltk.quantization.calibration import calibrate
from dltk.quantization.fake_quant import rounded, rounding_hook
from dltk.quantization.observers import observe_tensors
from dltk.quantization.scheme import KEPT, Scheme
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

EMIT = {"tflite": tflite.emit, "onnx": onnx.emit}


@cache
def model(name="resnet"):
    return zoo.teach(zoo.shake(zoo.MODELS[name]()))


@cache
def graph(name="resnet"):
    return deployed_graph(read(model(name)))


def weighted():
    return [name for name, layer in graph().layers.items() if layer.weights]


def some():
    """The first convolution, one between two others, the last Dense."""
    names = weighted()
    return frozenset({names[0], names[2], names[-1]})


@cache
def plan(scheme, name="resnet"):
    item, *_ = graph(name).inputs
    samples = {item.name: zoo.samples(model(name), 60)[0]}
    return calibrate(graph(name), samples, limits={}, scheme=scheme, method="min-max")


@cache
def artifact(scheme, format, precision="int8", name="resnet"):
    return EMIT[format](graph(name), zoo.signature(model(name)), precision, plan(scheme, name))


@cache
def session(*key):
    return open_session(key[1], artifact(*key))


@cache
def answers(*key):
    name = key[3] if len(key) > 3 else "resnet"
    (found,) = session(*key).run(zoo.feeds(model(name), zoo.samples(model(name), 64, seed=8))).values()
    return found


@cache
def simulated(scheme):
    found = plan(scheme)
    layers = {name: rounded(graph().layers[name], scale) for name, scale in found.weights.items()}
    mixed = replace(graph(), layers=dict(graph().layers) | layers)
    tensors = {graph().inputs[0].name: zoo.samples(model(), 64, seed=8)[0]}
    rows = observe_tensors(mixed, mixed.outputs, tensors, list, hook=rounding_hook(found.tensors))
    return np.concatenate([row[0] for row in rows])


def kernels(data):
    """TFLite: (operator, int8 or float32 kernel, its scales) of every weighted operator."""
    found = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    tensors, rows = found.subgraphs[0].tensors, []
    for operator in found.subgraphs[0].operators:
        name = names[found.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            kernel, bias = tensors[operator.inputs[1]], tensors[operator.inputs[2]]
            kind = {schema.TensorType.INT8: np.int8, schema.TensorType.FLOAT32: np.float32}[kernel.type]
            values = np.frombuffer(bytes(found.buffers[kernel.buffer].data), kind)
            scales = None if kernel.quantization is None else kernel.quantization.scale
            rows.append((name, values, scales, bias.type))
    return rows


def initializers(data, suffix):
    """ONNX: the constants that DequantizeLinear nodes with int8 weights read, by what `suffix` says."""
    found = load_from_string(data).graph
    values = {item.name: numpy_helper.to_array(item) for item in found.initializer}
    place = ["weight", "scale"].index(suffix)
    return [values[node.input[place]] for node in found.node
            if node.op_type == "DequantizeLinear" and node.input[0] in values
            and values[node.input[0]].dtype == np.int8]  # fmt: skip


def steps_apart(one, other, scheme):
    grid = plan(scheme).tensors[graph().outputs[0]]
    return np.abs(one - other) / grid.scale


# --- keep


def test_the_plan_says_which_layers_are_float_and_gives_them_no_grid():
    found = plan(Scheme(keep=some()))
    assert dict(found.floats) == dict.fromkeys(some(), KEPT)
    assert not some() & set(found.weights)
    ends = {graph().inputs[0].name, *graph().outputs}
    assert not ends & set(found.tensors)  # the first and the last layer are float
    assert set(found.borders) == ends


@pytest.mark.parametrize("precision", ["int8", "int8-io"])
def test_kept_layers_are_float32_in_tflite(precision):
    opened = session(Scheme(keep=some()), "tflite", precision)
    assert opened.float_operators() == {"CONV_2D": 2, "FULLY_CONNECTED": 1}
    assert "CEIL" not in opened.operators()
    found = kernels(artifact(Scheme(keep=some()), "tflite", precision))
    floats = [values for _, values, _, _ in found if values.dtype == np.float32]
    assert len(floats) == 3
    assert len(found) == len(weighted())
    ours = [graph().layers[name].weights[0] for name in weighted() if name in some()]
    for stored, kernel in zip(floats, ours, strict=True):
        assert np.array_equal(np.sort(stored), np.sort(kernel.ravel()))  # the order of axes is TFLite's own
    if precision == "int8-io":
        assert {port.dtype for port in (*opened.inputs, *opened.outputs)} == {"int8"}


def test_kept_layers_are_float32_in_onnx():
    """Not only in the file: onnxruntime would quantize the convolution between two grids when it loads the file."""
    opened = session(Scheme(keep=some()), "onnx")
    ran = opened.float_operators()
    assert ran["Conv"] == 2
    assert ran["Gemm"] == 1
    assert "Exp" not in opened.operators()
    stored = [
        numpy_helper.to_array(item)
        for item in load_from_string(artifact(Scheme(keep=some()), "onnx")).graph.initializer
    ]
    assert sum(value.dtype == np.float32 and value.ndim >= 2 for value in stored) == 3


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_the_gate_lets_exactly_these_through(format):
    ran = session(Scheme(keep=some()), format).float_operators()
    assert set(ran) <= allowed_float_operators(graph(), plan(Scheme(keep=some())), ran)
    fewer = plan(Scheme(keep=some() - {weighted()[2]}))
    assert set(ran) - allowed_float_operators(graph(), fewer, ran)


def test_the_files_with_float_layers_agree_with_each_other_and_the_simulation():
    """A step of an inner grid, where kernels round otherwise, reaches the float answer as 2% of its range at most."""
    scheme = Scheme(keep=some())
    one, other, wanted = answers(scheme, "tflite"), answers(scheme, "onnx"), simulated(scheme)
    limit = 0.02 * np.ptp(wanted)
    assert np.abs(one - other).max() <= limit
    assert np.abs(one - wanted).max() <= limit
    assert np.abs(other - wanted).max() <= limit
    assert top1_agreement(one, other) == 1.0


def test_float_layers_bring_int8_nearer_to_float():
    kept, none = (plan(scheme).calibration["held_out_error"]["min-max"] for scheme in (Scheme(keep=some()), Scheme()))
    assert kept < none


@pytest.mark.slow
@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_emitting_kept_layers_repeats(format):
    scheme = Scheme(keep=some())
    assert EMIT[format](graph(), zoo.signature(model()), "int8", plan(scheme)) == artifact(scheme, format)


# --- reduce_range


def test_seven_bit_weights_are_so_in_both_files_on_the_scales_of_the_plan():
    scheme = Scheme(levels=63)
    scales = np.sort(np.concatenate(list(plan(scheme).weights.values())))
    rows = kernels(artifact(scheme, "tflite"))
    assert {int(np.abs(values).max()) for _, values, _, _ in rows} == {63}
    # One rounding of float32 in each of two divisions.
    np.testing.assert_allclose(np.sort(np.concatenate([row[2] for row in rows])), scales, rtol=3e-7)
    weights = initializers(artifact(scheme, "onnx"), "weight")
    assert {int(np.abs(values).max()) for values in weights} == {63}
    stored = np.concatenate(initializers(artifact(scheme, "onnx"), "scale"))
    np.testing.assert_allclose(np.sort(stored), scales, rtol=3e-7)
    ours, theirs = (np.sort(np.concatenate([value.ravel() for value in found]))
                    for found in ([row[1] for row in rows], weights))  # fmt: skip
    assert np.array_equal(ours, theirs)


def test_seven_bit_files_agree():
    """Five steps of 255: each of seven layers may round a step otherwise, and few of those reach the answer whole."""
    scheme = Scheme(levels=63)
    assert steps_apart(answers(scheme, "tflite"), answers(scheme, "onnx"), scheme).max() <= 5.01
    assert steps_apart(answers(scheme, "tflite"), simulated(scheme), scheme).mean() <= 1.0
    assert top1_agreement(answers(scheme, "tflite"), answers(scheme, "onnx")) == 1.0


# --- per_tensor_dense


def test_a_dense_layer_with_one_scale_has_one_in_both_files():
    scheme = Scheme(per_tensor_dense=True)
    by_name = {name: np.size(scales) for name, _, scales, _ in kernels(artifact(scheme, "tflite"))}
    assert by_name["FULLY_CONNECTED"] == 1
    assert by_name["CONV_2D"] > 1
    assert sum(scale.ndim == 0 for scale in initializers(artifact(scheme, "onnx"), "scale")) == 1
    (scale,) = plan(scheme).weights[weighted()[-1]]
    assert scale == pytest.approx(np.abs(graph().layers[weighted()[-1]].weights[0]).max() / 127, rel=1e-6)
    assert steps_apart(answers(scheme, "tflite"), answers(scheme, "onnx"), scheme).max() <= 5.01


# --- int16x8


@pytest.mark.parametrize(
    "name", ["resnet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("squeeze", "dense_net"))]
)
def test_16_bit_activations_are_near(name):
    """What is left is the rounding of weights; a step of an activation is 1/32768 of its range."""
    key = (Scheme(bits=16), "tflite", "int16x8", name)
    (wanted,) = zoo.expected(model(name), zoo.samples(model(name), 64, seed=8))
    assert mean_cosine(wanted, answers(*key)) >= 0.995
    ran = session(*key).float_operators()
    assert set(ran) <= allowed_float_operators(graph(name), plan(key[0], name), ran)
    if name == "resnet":
        assert ran == {}
        assert {row[3] for row in kernels(artifact(*key))} == {schema.TensorType.INT64}


def test_16_bit_files_compute_what_is_simulated():
    """1e-3 of the range: a few hundred steps of 16 bits, from sums of rounded values over seven layers."""
    for scheme in (Scheme(bits=16), Scheme(bits=16, keep=some())):
        found, wanted = answers(scheme, "tflite", "int16x8"), simulated(scheme)
        assert np.abs(found - wanted).max() <= 1e-3 * np.ptp(wanted)
    assert session(scheme, "tflite", "int16x8").float_operators() == {"CONV_2D": 2, "FULLY_CONNECTED": 1}


def test_a_plan_of_16_bits_comes_back_from_its_file(tmp_path):
    found = plan(Scheme(bits=16, keep=some(), per_tensor_dense=True))
    found.save(tmp_path / "plan.npz")
    again = type(found).load(tmp_path / "plan.npz")
    assert (again.precision, again.tensors, again.borders) == ("int16x8", found.tensors, found.borders)
    assert (again.levels, again.per_tensor_dense) == (127, True)
