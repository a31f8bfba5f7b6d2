"""Edits of a TFLite model object that its converter has no setting for.

Guards out, 7-bit weights, 64-bit biases, LSTMs whose cells are not clipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.export.guard import is_guard
from dltk.quantization.codes import LEVELS

__all__ = ["narrow_weights", "remove_guards", "unclip_cells", "widen_biases"]

# operator with weights -> positions of its kernel and its bias among its inputs
_WEIGHTED = {"CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (1, 3)}
_GUARD = "CEIL"


def remove_guards(model: Any, guards: Collection[str]) -> None:
    """Take out the operators of `dltk.export.guard`, and the tensors that only they made; changes `model`.

    Args:
        guards: `guard_names` of the graph that the model was made of.
    """
    codes = {index for index, name in _codes(model).items() if name == _GUARD}
    for index, graph in enumerate(model.subgraphs):
        sources = {
            op.outputs[0]: op.inputs[0]
            for op in graph.operators
            if op.opcodeIndex in codes and is_guard(_name(graph.tensors[op.outputs[0]]), guards)
        }
        if not sources:
            continue
        graph.operators = [op for op in graph.operators if op.outputs[0] not in sources]
        kept = [i for i in range(len(graph.tensors)) if i not in sources]
        place = {old: new for new, old in enumerate(kept)} | {-1: -1}
        place |= {gone: place[_source(gone, sources)] for gone in sources}
        graph.tensors = [graph.tensors[i] for i in kept]
        graph.inputs, graph.outputs = _moved(graph.inputs, place), _moved(graph.outputs, place)
        for op in graph.operators:
            op.inputs, op.outputs = _moved(op.inputs, place), _moved(op.outputs, place)
        for definition in model.signatureDefs:
            if definition.subgraphIndex == index:
                for item in (*definition.inputs, *definition.outputs):
                    item.tensorIndex = place[item.tensorIndex]
    used = {op.opcodeIndex for graph in model.subgraphs for op in graph.operators}
    for code in sorted(codes - used, reverse=True):
        del model.operatorCodes[code]
        for op in (op for graph in model.subgraphs for op in graph.operators):
            op.opcodeIndex -= op.opcodeIndex > code


def _name(tensor: Any) -> str:
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def _source(tensor: int, sources: Mapping[int, int]) -> int:
    """What a chain of guards reads."""
    while tensor in sources:
        tensor = sources[tensor]
    return tensor


def narrow_weights(model: Any, levels: int) -> None:
    """int8 weights that lie on a grid of `levels` steps, stored as those steps instead of 127ths; changes `model`.

    Rounding w / max to 127ths, then 127ths to `levels`, gives back every step of a weight that was on the narrow grid.
    """
    done: set[int] = set()
    for kernel, bias in _weights(model):
        for tensor, kind in ((kernel, np.int8), (bias, np.int32)):
            if tensor is None or id(tensor) in done or tensor.type != _types()[np.dtype(kind).name]:
                continue
            done.add(id(tensor))
            steps = _values(model, tensor, kind).astype(np.float64) * levels / LEVELS
            _replace_values(model, tensor, np.round(steps).astype(kind))
            tensor.quantization.scale = np.asarray(tensor.quantization.scale, np.float32) * np.float32(LEVELS / levels)


def unclip_cells(model: Any) -> None:
    """LSTMs whose cell and projection grow as far as they do in Keras; changes `model`.

    The converter writes a bound of 10 into every fused LSTM, whatever the layer's settings. 0 means none.
    """
    for options in (op.builtinOptions for graph in model.subgraphs for op in graph.operators):
        for bound in ("cellClip", "projClip"):
            if hasattr(options, bound):
                setattr(options, bound, 0.0)


def widen_biases(model: Any) -> None:
    """Biases beside 16-bit activations as int64, as every kernel takes them; changes `model`, which has int32."""
    done: set[int] = set()
    for _, bias in _weights(model):
        if bias is not None and id(bias) not in done and bias.type == _types()["int32"]:
            done.add(id(bias))
            _replace_values(model, bias, _values(model, bias, np.int32).astype(np.int64))
            bias.type = _types()["int64"]


def _weights(model: Any) -> Iterator[tuple[Any, Any]]:
    """(kernel, bias or None) of every weighted operator whose kernel is a constant."""
    codes = {index: _WEIGHTED[name] for index, name in _codes(model).items() if name in _WEIGHTED}
    for graph in model.subgraphs:
        for op in graph.operators:
            if op.opcodeIndex in codes:
                kernel, bias = (op.inputs[i] if i < len(op.inputs) else -1 for i in codes[op.opcodeIndex])
                if model.buffers[graph.tensors[kernel].buffer].data is not None:
                    yield graph.tensors[kernel], graph.tensors[bias] if bias >= 0 else None


def _codes(model: Any) -> dict[int, str]:
    """Place in the model's table of operators -> name; a name may stand there in several versions."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    return {i: names[max(code.builtinCode, code.deprecatedBuiltinCode)] for i, code in enumerate(model.operatorCodes)}


def _types() -> dict[str, int]:
    from tensorflow.lite.python import schema_py_generated as schema

    return {name.lower(): value for name, value in vars(schema.TensorType).items() if isinstance(value, int)}


def _moved(indices: Any, place: dict[int, int]) -> NDArray[np.int32]:
    return np.array([place[int(i)] for i in indices], np.int32)


def _values(model: Any, tensor: Any, kind: Any) -> NDArray[Any]:
    return np.frombuffer(np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes(), kind)


def _replace_values(model: Any, tensor: Any, values: NDArray[Any]) -> None:
    """Give `tensor` these values; in a buffer of its own where others share its old one."""
    buffers = model.buffers
    if sum(other.buffer == tensor.buffer for found in model.subgraphs for other in found.tensors) > 1:
        buffers.append(type(buffers[0])())
        tensor.buffer = len(buffers) - 1
    buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
