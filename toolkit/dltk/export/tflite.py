"""The twin as a TFLite file: static batch of one, builtin operators only, named by its signature."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.export.flatbuffer.edits import narrow_weights, remove_guards, unclip_cells, widen_biases
from dltk.export.flatbuffer.pack import pack_model
from dltk.export.guard import TFLITE_GUARD, guard_names, guarded_graph
from dltk.quantization.codes import LEVELS
from dltk.quantization.fake_quant import fake_quant
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph

__all__ = ["emit"]


def emit(graph: Graph, signature: Signature, precision: str, plan: QuantizationPlan | None) -> bytes:
    """The bytes of a `.tflite` file of a deployed graph.

    Args:
        precision: "float32", "float16", "dynamic", "int8" (float at the borders), "int8-io" or "int16x8".
        plan: the ranges; needed for int8 and int16x8.

    Raises:
        InputError: if an operator would need the Flex delegate, which edge interpreters lack.
    """
    import tensorflow as tf

    from dltk.twin.build import build

    integer, whole = precision.startswith("int"), precision == "int8-io"
    if integer and plan is not None:
        graph = guarded_graph(graph, plan, TFLITE_GUARD, borders=whole)
    twin = build(graph, hook=fake_quant(plan, borders=whole) if integer else None, batch=1)
    function = _function(twin, graph, signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], twin)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    _SETTINGS[precision](converter, tf, plan, _alphabetical(graph, signature))
    _calibrate_unclipped(converter)
    try:
        with _quiet():
            data = bytes(converter.convert())
    except Exception as fault:
        raise InputError("export to TFLite", "every operator must be a builtin", _cause(fault)) from fault
    return _finished(data, signature, precision, plan if integer else None, guard_names(graph))


def _calibrate_unclipped(converter: Any) -> None:
    """Let the calibrator see the float model with the cells that it will have: else their grid ends at the bound."""
    from tensorflow.lite.tools import flatbuffer_utils

    quantize = converter._quantize

    def unclipped(data: bytes, *settings: Any, **named: Any) -> Any:
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
        unclip_cells(model)
        return quantize(bytes(flatbuffer_utils.convert_object_to_bytearray(model)), *settings, **named)

    converter._quantize = unclipped


def _function(twin: Any, graph: Graph, signature: Signature) -> Any:
    """A tf.function with the signature's names at its borders."""
    import tensorflow as tf

    specs = {
        spec.name: tf.TensorSpec((1, *item.shape), item.dtype, name=spec.name)
        for spec, item in zip(signature.inputs, graph.inputs, strict=True)
    }
    outputs = [spec.name for spec in signature.outputs]

    @tf.function(input_signature=[specs], autograph=False)
    def serve(inputs: Mapping[str, Any]) -> dict[str, Any]:
        made = twin([inputs[spec.name] for spec in signature.inputs], training=False)
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        return dict(zip(outputs, made, strict=True))

    return serve


def _alphabetical(graph: Graph, signature: Signature) -> list[str]:
    """Names of the graph's inputs in the order in which the converter feeds samples: that of the signature's names."""
    pairs = zip(signature.inputs, graph.inputs, strict=True)
    return [item.name for _, item in sorted(pairs, key=lambda pair: pair[0].name)]


def _float16(converter: Any, tf: Any, plan: QuantizationPlan | None, inputs: list[str]) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter: Any, tf: Any, plan: QuantizationPlan | None, inputs: list[str]) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter: Any, tf: Any, plan: QuantizationPlan | None, inputs: list[str]) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if plan is None:
        return
    converter._experimental_disable_per_channel_quantization_for_dense_layers = plan.per_tensor_dense
    if plan.ranges != "native":
        return

    def samples() -> Iterator[list[Any]]:
        for i in range(len(next(iter(plan.samples.values())))):
            yield [np.asarray(plan.samples[name][i : i + 1]) for name in inputs]

    converter.representative_dataset = samples


def _int16x8(converter: Any, tf: Any, plan: QuantizationPlan | None, inputs: list[str]) -> None:
    _int8(converter, tf, plan, inputs)
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide, tf.lite.OpsSet.TFLITE_BUILTINS]  # the latter: what has no such kernel


def _int8_io(converter: Any, tf: Any, plan: QuantizationPlan | None, inputs: list[str]) -> None:
    _int8(converter, tf, plan, inputs)
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8


_SETTINGS: Mapping[str, Callable[[Any, Any, QuantizationPlan | None, list[str]], None]] = {
    "float32": lambda converter, tf, plan, inputs: None,
    "float16": _float16,
    "dynamic": _dynamic,
    "int8": _int8,
    "int8-io": _int8_io,
    "int16x8": _int16x8,
}


def _finished(
    data: bytes, signature: Signature, precision: str, plan: QuantizationPlan | None, guards: Collection[str]
) -> bytes:
    """The model with what the plan asks and the converter has no setting for, plain names, and a description."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    unclip_cells(model)
    if plan is not None and plan.ranges == "shared":
        remove_guards(model, guards)
        if plan.levels != LEVELS:
            narrow_weights(model, plan.levels)
        if precision == "int16x8":
            widen_biases(model)
    _describe(model, signature, precision)
    _plain_names(model)
    _empty_unread_buffers(model)
    return pack_model(model)


def _describe(model: Any, signature: Signature, precision: str) -> None:
    """Put dltk's description inside, under the metadata name "dltk"."""
    from tensorflow.lite.python import schema_py_generated as schema

    text = json.dumps({"precision": precision, "signature": signature.as_dict()}, sort_keys=True)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"dltk", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _plain_names(model: Any) -> None:
    """Name tensors by position, borders by the signature: the converter's names count what the process did before."""
    for i, subgraph in enumerate(model.subgraphs):
        subgraph.name = "main" if i == 0 else f"graph{i}"
        for j, tensor in enumerate(subgraph.tensors):
            tensor.name = f"t{j}" if i == 0 else f"g{i}t{j}"
    for definition in model.signatureDefs:
        for border in (definition.inputs, definition.outputs):
            for item in border:
                name = item.name.decode() if isinstance(item.name, bytes) else item.name
                model.subgraphs[0].tensors[item.tensorIndex].name = name


def _empty_unread_buffers(model: Any) -> None:
    """The calibrator of recurrent layers leaves uninitialized memory in buffers that belong to no tensor."""
    read = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    read |= {entry.buffer for entry in model.metadata}
    for i, buffer in enumerate(model.buffers):
        if i not in read:
            buffer.data = None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's C++ log off the screen; what goes wrong comes as an exception."""
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def _cause(fault: Exception) -> str:
    lines = str(fault).splitlines()
    return next((line for line in lines if "Flex" in line or "tf." in line), lines[0] if lines else repr(fault))
