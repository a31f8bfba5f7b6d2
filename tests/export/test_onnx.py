"""ONNX files: what they give, what they hold, that they repeat."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, load_from_string

import zoo
from dltk.base.errors import InputError
from dltk.base.files import sha256

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

QUICK = ("resnet", "squeeze", "dense_net", "grouped", "many", "lstm", "tabular", "sequence")
# An untrained MobileNetV2, 52 layers deep, without the repairs that `quantize` tries.
NEAR = {"mobile": 0.98}
ALL = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobile", "causal", "embedded"))]


def cosine(found, expected):
    """Mean over samples, of the answers as rows."""
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    return float(((found * expected).sum(-1) / lengths).mean())


@pytest.mark.parametrize("name", ALL)
def test_float32_is_equal(made, name):
    """1e-5 of the largest output: the kernels sum in another order than Keras'."""
    found = made.answers(name, "onnx", "float32")
    for key, expected in made.case(name).expected.items():
        assert np.abs(found[key] - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_an_operator_without_an_onnx_form_is_refused(made, monkeypatch):
    """Left as tf_keras has it, a convolution in groups is a call of a function, which tf2onnx writes as it stands."""
    monkeypatch.setattr("dltk.export.onnx._without_functions", lambda twin: twin)
    with pytest.raises(InputError, match="PartitionedCall"):
        made.case("grouped").emit("onnx", "float32")


@pytest.mark.parametrize("name", ALL)
def test_int8_is_near(made, name):
    """Cosine 0.99: one step in 255 of each tensor's range, over a few layers."""
    found = made.answers(name, "onnx", "int8")
    for key, expected in made.case(name).expected.items():
        assert cosine(found[key], expected) >= NEAR.get(name, 0.99)
        assert np.ptp(found[key], axis=0).max() > 0


@pytest.mark.parametrize("name", ["resnet", "squeeze", "dense_net", pytest.param("mobile", marks=pytest.mark.slow)])
def test_the_two_int8_files_agree(made, name):
    """They hold the same grids; kernels differ in how they round to them."""
    one, other = (made.answers(name, format, "int8")["logits_out"] for format in ("tflite", "onnx"))
    assert (one.argmax(1) == other.argmax(1)).mean() >= 0.99


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["resnet", "many", "lstm"])
def test_borders_are_the_signatures(made, name, precision):
    signature, model = made.case(name).signature, load_from_string(made.artifact(name, "onnx", precision))
    for values, specs in ((model.graph.input, signature.inputs), (model.graph.output, signature.outputs)):
        assert [value.name for value in values] == [spec.name for spec in specs]
        for value, spec in zip(values, specs, strict=True):
            dims = value.type.tensor_type.shape.dim
            assert dims[0].dim_param == "batch"
            assert [dim.dim_value for dim in dims[1:]] == list(spec.shape[1:])
    assert [(item.domain, item.version) for item in model.opset_import if item.domain in ("", "ai.onnx")] == [("", 17)]
    assert model.ir_version <= 10
    assert not [item for item in model.graph.initializer if item.data_location == TensorProto.EXTERNAL]
    assert {item.key for item in model.metadata_props} == {"dltk.precision", "dltk.signature"}


def test_any_batch_runs(made):
    tensors = made.case("resnet").tensors
    one = made.session("resnet", "onnx", "float32").run({name: value[:1] for name, value in tensors.items()})
    all_ = made.answers("resnet", "onnx", "float32")
    # Another batch may be cut up otherwise by the kernels: a rounding of float32.
    assert np.abs(one["logits_out"] - all_["logits_out"][:1]).max() <= 1e-5


def test_weights_are_stored_as_int8(made):
    model = load_from_string(made.artifact("resnet", "onnx", "int8"))
    large = [item for item in model.graph.initializer if len(item.dims) >= 2 and np.prod(item.dims) > 16]
    assert len(large) == 7  # six convolutions and the head
    assert {item.data_type for item in large} == {TensorProto.INT8}


# mobile: 32 pixels become one, where the converter writes transposes as reshapes.
@pytest.mark.parametrize("name", ["resnet", "dense_net", "tabular", pytest.param("mobile", marks=pytest.mark.slow)])
def test_int8_runs_on_integers(made, name):
    assert made.session(name, "onnx", "int8").float_operators() == {}


@pytest.mark.slow
def test_padding_is_inside_the_convolutions(made):
    operators = made.session("mobile", "onnx", "int8").operators()
    assert "Pad" not in operators
    sizes = {precision: len(made.artifact("mobile", "onnx", precision)) for precision in ("float32", "int8")}
    assert sizes["int8"] <= sizes["float32"] / 2.5


@pytest.mark.parametrize(("name", "precision"), [("resnet", "float32"), ("resnet", "int8"), ("lstm", "int8")])
def test_emitting_again_gives_the_same_bytes(made, name, precision):
    assert made.case(name).emit("onnx", precision) == made.artifact(name, "onnx", precision)


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(made):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import conftest as made; from dltk.base.files import sha256;"
        "print([sha256(made.artifact('resnet', form, 'int8')) for form in ('tflite', 'onnx')])"
    )
    paths = [os.path.dirname(__file__), os.path.dirname(zoo.__file__)]
    environment = os.environ | {"PYTHONHASHSEED": "77", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True, env=environment
    )
    here = [sha256(made.artifact("resnet", form, "int8")) for form in ("tflite", "onnx")]
    assert done.stdout.strip().splitlines()[-1] == str(here)
