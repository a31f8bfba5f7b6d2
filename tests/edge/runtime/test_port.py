"""Both runtimes behind one face: names, float32 at the border, batches, damaged files."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tiny
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.install import pip_extra
from dltk.edge.families import family
from dltk.edge.runtime import sessions as runtimes
from dltk.edge.runtime.sessions import available, open_session

KINDS = [("tflite", "float32"), ("tflite", "int8"), ("tflite", "int8-io"), ("onnx", "float32"), ("onnx", "int8")]


def tensors(count: int) -> dict:
    return family("classification").tensors(tiny.raws(count), tiny.SIGNATURE)


@pytest.mark.parametrize(("form", "precision"), KINDS)
def test_outputs_are_the_layers(models, form, precision):
    session = open_session(form, models[f"model.{precision}.{form}"])
    found, wanted = session.run(tensors(16))["logits"], tiny.reference(tiny.raws(16))["logits"]
    # float32: 48 products summed in another order. int8: the output step is 0.1, and inputs are half a step off too.
    tolerance = 1e-5 if precision == "float32" else 0.15
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() <= tolerance


@pytest.mark.parametrize(("form", "precision"), KINDS)
def test_a_batch_is_its_samples(models, form, precision):
    session = open_session(form, models[f"model.{precision}.{form}"])
    batch = tensors(130)  # over two pieces of 64
    whole = session.run(batch)["logits"]
    single = np.concatenate([session.run({"image": batch["image"][i : i + 1]})["logits"] for i in range(130)])
    # A batch may be summed in another order; quantized sums are whole numbers.
    assert np.abs(whole - single).max() <= (1e-6 if precision == "float32" else 0.0)


def test_ports_tell_what_the_file_takes(models):
    port = open_session("tflite", models["model.int8-io.tflite"]).inputs[0]
    assert (port.name, port.dtype, port.shape, port.zero_point) == ("image", "int8", (None, 4, 4, 3), 0)
    assert port.scale == pytest.approx(1 / 127)
    assert open_session("tflite", models["model.int8.tflite"]).inputs[0].dtype == "float32"
    assert open_session("onnx", models["model.int8.onnx"]).outputs[0].shape == (None, 3)


def test_quantizing_clips_instead_of_wrapping(models):
    session = open_session("tflite", models["model.int8-io.tflite"])
    high = session.run({"image": np.full((1, 4, 4, 3), 1.0, np.float32)})
    assert np.array_equal(session.run({"image": np.full((1, 4, 4, 3), 900.0, np.float32)})["logits"], high["logits"])


def test_operators(models):
    session = open_session("tflite", models["model.int8.tflite"])
    assert session.operators() == {"DEQUANTIZE": 1, "FULLY_CONNECTED": 1, "QUANTIZE": 1}
    assert session.float_operators() == {}
    assert open_session("tflite", models["model.float32.tflite"]).float_operators() == {"FULLY_CONNECTED": 1}
    session = open_session("onnx", models["model.int8.onnx"])
    assert session.operators() == {"DequantizeLinear": 5, "Flatten": 1, "Gemm": 1, "QuantizeLinear": 3}
    assert session.float_operators() == {}
    assert "Gemm" in open_session("onnx", models["model.float32.onnx"]).float_operators()


def test_a_delegate_took_everything_or_nothing(models):
    assert open_session("tflite", models["model.float32.tflite"]).delegated_share() in (0.0, 1.0)
    assert open_session("onnx", models["model.float32.onnx"]).delegated_share() is None


def test_without_a_signature_tensors_keep_their_own_names():
    pytest.importorskip("ai_edge_litert")
    session = open_session("tflite", tiny.tflite(named=False, input_name="serving_default_image:0"))
    assert [port.name for port in session.inputs] == ["image"]


def test_state_does_not_leak_from_sample_to_sample():
    """A recurrent layer keeps its state in a variable tensor between calls unless told to forget it."""
    pytest.importorskip("ai_edge_litert")
    session = open_session("tflite", tiny.recurrent_tflite())
    series = np.ones((3, 2, 1), np.float32)
    found = session.run({"series": series})["states"]
    # relu(0.5 * 1), then relu(0.5 * 1 + 0.5 * 0.5): exact in binary
    assert found.tolist() == [[[0.5], [0.75]]] * 3


@pytest.mark.parametrize("form", ["tflite", "onnx"])
@pytest.mark.parametrize(
    "fed",
    [
        {},
        {"picture": np.zeros((1, 4, 4, 3), np.float32)},
        {"image": np.zeros((4, 4, 3), np.float32)},
        {"image": np.zeros((1, 4, 4, 1), np.float32)},
        {"image": np.zeros((0, 4, 4, 3), np.float32)},
    ],
)
def test_tensors_that_do_not_fit_are_refused(models, form, fed):
    with pytest.raises(InputError, match="image"):
        open_session(form, models[f"model.float32.{form}"]).run(fed)


@pytest.mark.parametrize("form", ["tflite", "onnx"])
@pytest.mark.parametrize("data", [b"", b"no model", b"\0" * 4 + b"TFL3", b"\x00\xff" * 500])
def test_what_is_no_model_is_refused(models, form, data):
    with pytest.raises(InputError, match="must"):
        open_session(form, data)


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_a_cut_model_is_refused(models, form):
    data = models[f"model.float32.{form}"]
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(InputError):
            open_session(form, data[: int(len(data) * share)]).run(tensors(1))


def test_a_signature_that_names_no_tensor_is_refused():
    """LiteRT loads such a file, and raises only when it is asked for what it takes and gives."""
    with pytest.raises(InputError, match="must have readable inputs and outputs; received Invalid tensor index"):
        open_session("tflite", tiny.tflite(given=2**24))


def test_a_missing_runtime_is_named(models, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    assert available() == ()
    with pytest.raises(EnvironmentFault, match=re.escape(pip_extra("onnx"))) as caught:
        open_session("onnx", models["model.float32.onnx"])
    assert caught.value.exit_code == 5


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="tflite"):
        open_session("exe", b"")


@pytest.mark.parametrize(("form", "old"), [("tflite", "1.0.1"), ("onnx", "1.18.1")])
def test_a_runtime_built_for_numpy_1_is_not_loaded_beside_numpy_2(models, monkeypatch, form, old):
    monkeypatch.setattr(runtimes.np, "__version__", "2.4.6")
    monkeypatch.setattr(runtimes.metadata, "version", lambda name: old)
    with pytest.raises(EnvironmentFault, match="needs NumPy 1"):
        open_session(form, models[f"model.float32.{form}"])


@pytest.mark.parametrize("numpy", ["1.26.4", "2.4.6"])
def test_a_broken_release_of_a_runtime_is_named(models, monkeypatch, numpy):
    monkeypatch.setattr(runtimes.np, "__version__", numpy)
    monkeypatch.setattr(runtimes.metadata, "version", lambda name: "1.1.0")
    with pytest.raises(EnvironmentFault, match=r"ai-edge-litert 1\.1\.0: fails when the number of threads") as caught:
        open_session("tflite", models["model.float32.tflite"])
    assert caught.value.exit_code == 5
