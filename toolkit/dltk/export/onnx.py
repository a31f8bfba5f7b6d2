"""The twin as an ONNX file: opset 17, open batch, named borders, constants folded, weights inline."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.export.graph.clips import clip_in_integers
from dltk.export.graph.loops import pass_captured_through_loops
from dltk.export.graph.native_calibration import calibrate_natively
from dltk.export.graph.qdq import fuse_dense, quantize_weights
from dltk.export.graph.tidy import drop_idle_reshapes, fuse_pads, plain_names, sink_squeezes
from dltk.export.guard import ONNX_GUARD, guard_names, guarded_graph, replace_guards_by_copies
from dltk.quantization.fake_quant import fake_quant
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph

__all__ = ["IR_VERSION", "OPSET", "emit"]

OPSET, IR_VERSION = 17, 8  # read by every onnxruntime since 1.12


def emit(graph: Graph, signature: Signature, precision: str, plan: QuantizationPlan | None) -> bytes:
    """The bytes of an `.onnx` file of a deployed graph.

    Args:
        precision: "float32" or "int8".
        plan: the ranges; needed for int8.

    Raises:
        InputError: if an operator has no ONNX form, or the file would take inputs that the model does not have.
    """
    import onnx

    hook = fake_quant(plan) if precision == "int8" else None
    if hook is not None and plan is not None:
        graph = guarded_graph(graph, plan, ONNX_GUARD)
    model = _convert(graph, signature, hook)
    if precision == "int8" and plan is not None:
        if hook is not None:
            drop_idle_reshapes(model)
            fuse_pads(model)
            sink_squeezes(model)
            fuse_dense(model)
            quantize_weights(model, levels=plan.levels, per_tensor_dense=plan.per_tensor_dense)
            replace_guards_by_copies(model, guard_names(graph))
            clip_in_integers(model)
        else:
            with _quiet():
                model = calibrate_natively(model, plan, graph, signature)
        pass_captured_through_loops(model)
    plain_names(model)
    _describe(model, signature, precision)
    onnx.checker.check_model(model, full_check=True)
    _assert_borders(model, signature)
    return bytes(model.SerializeToString(deterministic=True))


def _convert(graph: Graph, signature: Signature, hook: Callable[[str, Any], Any] | None) -> Any:
    import onnxslim
    import tensorflow as tf
    import tf2onnx

    from dltk.twin.build import build

    twin = _without_functions(build(_without_erfc(graph), hook=hook))
    specs = [
        tf.TensorSpec((None, *item.shape), item.dtype, name=spec.name)
        for spec, item in zip(signature.inputs, graph.inputs, strict=True)
    ]

    @tf.function(input_signature=specs, autograph=False)
    def serve(*inputs: Any) -> tuple[Any, ...]:
        made = twin(list(inputs), training=False)
        made = made if isinstance(made, (list, tuple)) else [made]
        return tuple(tf.identity(tensor) for tensor in made)

    with _quiet():
        try:
            model, _ = tf2onnx.convert.from_function(serve, input_signature=specs, opset=OPSET)
        except Exception as fault:
            raise InputError("export to ONNX", "every operator must have an ONNX form", str(fault)) from fault
        _require_known(model)
        if hook is None:
            model = onnxslim.slim(model)
    model.ir_version = IR_VERSION
    _name_borders(model, signature)
    return model


def _without_erfc(graph: Graph) -> Graph:
    """TensorFlow writes gelu with erfc, which ONNX lacks; the same function with erf it has."""
    layers = {name: replace(layer, config=_with_erf(dict(layer.config))) for name, layer in graph.layers.items()}
    return replace(graph, layers=layers)


def _with_erf(config: Any) -> Any:
    """A layer's config, with those of layers inside it, in which "gelu" is the form of it that ONNX has."""
    if isinstance(config, list):
        return [_with_erf(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: "gelu_of_erf" if key.endswith("activation") and part == "gelu" else _with_erf(part)
        for key, part in config.items()
    }


def _without_functions(twin: Any) -> Any:
    """tf_keras compiles a convolution in groups as a function of its own, which tf2onnx does not look into."""
    for layer in twin._flatten_layers(include_self=False):  # those inside wrappers, too
        if hasattr(layer, "_jit_compiled_convolution_op") and layer.groups > 1:
            layer._jit_compiled_convolution_op = layer.convolution_op
    return twin


def _require_known(model: Any) -> None:
    """tf2onnx only logs an operator that it has no form for, and writes it into the file by TensorFlow's name."""
    import onnx

    unknown = {node.op_type for node in model.graph.node if not node.domain and not onnx.defs.has(node.op_type)}
    if unknown:
        raise InputError("export to ONNX", "every operator must have an ONNX form", ", ".join(sorted(unknown)))


def _name_borders(model: Any, signature: Signature) -> None:
    """Inputs, outputs and axes get the signature's names."""
    names = [spec.name for spec in signature.outputs]
    if len(model.graph.output) != len(names):
        raise InputError("export to ONNX", f"must have {len(names)} outputs", len(model.graph.output))
    renamed = {value.name: name for value, name in zip(model.graph.output, names, strict=True)}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for values, specs in ((model.graph.input, signature.inputs), (model.graph.output, signature.outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.name = spec.name
            shape = value.type.tensor_type.shape
            for dimension, axis, size in zip(shape.dim, spec.axes, spec.shape, strict=True):
                if size is None:
                    dimension.dim_param = axis
                else:
                    dimension.dim_value = size


def _describe(model: Any, signature: Signature, precision: str) -> None:
    """Put dltk's description into the file; what the converter wrote about itself stays out."""
    import onnx

    model.producer_name, model.producer_version = "dltk", ""
    model.graph.name, model.graph.doc_string, model.doc_string = "model", "", ""
    model.ir_version = IR_VERSION
    onnx.helper.set_model_props(
        model, {"dltk.precision": precision, "dltk.signature": json.dumps(signature.as_dict(), sort_keys=True)}
    )


def _assert_borders(model: Any, signature: Signature) -> None:
    """The converter leaves captured constants as inputs that nothing feeds: refuse to ship such a file."""
    fed = {initializer.name for initializer in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in fed]
    wanted = [spec.name for spec in signature.inputs]
    if sorted(inputs) != sorted(wanted):
        raise InputError("export to ONNX", f"the file's inputs must be {', '.join(wanted)}", inputs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converters log warnings about properties that are checked afterwards."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
