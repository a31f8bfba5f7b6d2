"""Which tensors get a range of their own, which share one, which are inside a fused operation.

The rules are TFLite's, the stricter of the two formats: pool, reshape and concatenate keep the scale of their inputs;
softmax and logistic have a fixed one; a relu right after a weighted layer is computed inside it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dltk.quantization.scheme import KEPT
from dltk.twin.graph import Call, Graph, Layer
from dltk.twin.table import FUSED_ACTIVATIONS, is_fused, lstm, row

__all__ = ["SharedRanges", "native_loops", "shared_ranges"]

_FIXED = {"unit": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
# What TensorFlow's converter can write with 16-bit activations, and the runtime computes rightly: each was tried.
_WIDE = {
    "Activation", "Add", "Affine", "AveragePooling1D", "AveragePooling2D", "Conv1D", "Conv1DTranspose", "Conv2D",
    "Conv2DTranspose", "Cropping1D", "Cropping2D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Flatten",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU",
    "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum", "Multiply", "Permute", "ReLU", "Reshape", "Softmax",
    "Subtract", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D", "op.Add", "op.Multiply", "op.Relu", "op.Relu6",
    "op.Reshape", "op.Softmax", "op.Subtract", "op.Tanh",
}  # fmt: skip
_WIDE_ACTIVATIONS = {"leaky_relu", "relu", "relu6", "softmax", "tanh"}
_WITH_CONSTANTS = {"op.Add", "op.Multiply", "op.Subtract"}  # not of a tensor and a constant
_NOT_WIDE = "no kernel for 16-bit activations that TensorFlow's converter writes"
_NEEDS_CALIBRATOR = "recurrent: only TensorFlow's calibrator has ranges inside the loop, and it crashes on {}"
_FUSES_INTO = {"Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense", "Add", "op.Add", "Multiply", "Affine"}


@dataclass(frozen=True)
class SharedRanges:
    """The shared ranges of a graph's tensors.

    Attributes:
        group: tensor -> name of its group; tensors of one group share a range.
        fixed: tensor -> (low, high) where the format fixes it.
        hidden: tensors inside a fused operation: never stored, so they have no range.
        floats: layer -> why it is computed in float.
        free: tensors that only float layers make and read: no integer kernel asks for their range. An input of the
            graph counts as made in float, an output as read so.
    """

    group: dict[str, str]
    fixed: dict[str, tuple[float, float]]
    hidden: frozenset[str]
    floats: dict[str, str]
    free: frozenset[str]

    def members(self) -> dict[str, list[str]]:
        """Group -> its tensors."""
        found: dict[str, list[str]] = {}
        for tensor, group in self.group.items():
            found.setdefault(group, []).append(tensor)
        return found


def native_loops(graph: Graph) -> list[str]:
    """Layers that each format must calibrate for itself; none where the model holds one that the calibrators crash on.

    With such a layer beside them they stay float, and the rest has shared ranges.
    """
    names = [name for name, layer in graph.layers.items() if row(layer.kind, layer.config).native]
    return [] if _calibrator_crash_reason(graph) else names


def _calibrator_crash_reason(graph: Graph) -> str:
    """On what TensorFlow's calibrator crashes: every loop that is no fused LSTM, which masks and states undo.

    It calibrates whole models only, so that one such loop keeps all others from having ranges. Empty: on nothing.
    """
    if any(layer.config.get("mask_zero") or layer.kind == "Masking" for layer in graph.layers.values()):
        return "loops that skip padding"
    for call in graph.calls:
        layer = graph.layers[call.layer]
        rules = row(layer.kind, layer.config)
        if rules.crashes:
            return f"the {layer.kind} in this model"
        if rules.native and not is_fused(lstm(layer.kind, layer.config) or {}):
            return "LSTMs of other settings than Keras' own"
        if rules.native and len(call.inputs) + len(call.outputs) > 2:
            return "loops that are given a state, or give theirs"
    return ""


def shared_ranges(graph: Graph, keep: Collection[str] = (), bits: int = 8) -> SharedRanges:
    """The shared ranges of a deployed graph (batch norm folded, activations split).

    Args:
        keep: layers that stay float.
        bits: of activations, 8 or 16.
    """
    group = {item.name: item.name for item in graph.inputs if item.dtype.startswith("float")}
    fixed: dict[str, tuple[float, float]] = {}
    floats: dict[str, str] = {}
    hidden = frozenset(call.inputs[0] for call in graph.calls if _is_fused(call, graph))
    crash = _calibrator_crash_reason(graph)
    for call in graph.calls:
        layer = graph.layers[call.layer]
        rules = row(layer.kind, layer.config)
        if not rules.int8:
            floats[call.layer] = _NEEDS_CALIBRATOR.format(crash) if rules.native and crash else rules.why_float
        elif call.layer in keep:
            floats[call.layer] = KEPT
        elif bits == 16 and not _is_wide(layer, call):
            floats[call.layer] = _NOT_WIDE
        for name in call.outputs:
            group[name] = name
        if rules.spread in _FIXED:
            fixed |= dict.fromkeys(call.outputs, _FIXED[rules.spread])
        elif rules.spread == "same" and call.layer not in floats:
            _share_range(group, fixed, call)
    for name in hidden:
        del group[name]
    return SharedRanges(group, fixed, hidden, floats, _free(graph, hidden, floats))


def _free(graph: Graph, hidden: frozenset[str], floats: Collection[str]) -> frozenset[str]:
    """Tensors between float layers. What is fused into a layer is computed as the layer is."""
    in_float = {item.name: item.dtype.startswith("float") for item in graph.inputs}
    read_by_int8: set[str] = set()
    for call in graph.calls:
        fused = bool(hidden.intersection(call.inputs[:1]))
        is_float = in_float[call.inputs[0]] if fused else call.layer in floats
        in_float |= dict.fromkeys(call.outputs, is_float)
        read_by_int8 |= set() if is_float else set(call.inputs)
    return frozenset(name for name, found in in_float.items() if found and name not in read_by_int8 | hidden)


def _is_wide(layer: Layer, call: Call) -> bool:
    if layer.kind == "Activation":
        return str(layer.config.get("activation")) in _WIDE_ACTIVATIONS
    return layer.kind in _WIDE and not (layer.kind in _WITH_CONSTANTS and len(call.inputs) < 2)


def _share_range(group: dict[str, str], fixed: dict[str, tuple[float, float]], call: Call) -> None:
    inputs = [name for name in call.inputs if name in group]
    if len(inputs) == 1 and inputs[0] in fixed:
        fixed |= dict.fromkeys(call.outputs, fixed[inputs[0]])
        return
    joined = [name for name in inputs if name not in fixed] + list(call.outputs)
    roots = {group[name] for name in joined}
    first = min(roots, key=list(group.values()).index)
    for name, root in group.items():
        if root in roots:
            group[name] = first


def _is_fused(call: Call, graph: Graph) -> bool:
    layer = graph.layers[call.layer]
    activation = str(layer.config.get("activation")) if layer.kind == "Activation" else layer.kind
    if activation not in FUSED_ACTIVATIONS and not _plain_relu(layer.kind, layer.config):
        return False
    source = graph.producers().get(call.inputs[0])
    if source is None or graph.layers[source.layer].kind not in _FUSES_INTO or call.inputs[0] in graph.outputs:
        return False
    return len(graph.consumers()[call.inputs[0]]) == 1


def _plain_relu(kind: str, config: object) -> bool:
    if kind in ("op.Relu", "op.Relu6"):
        return True
    if kind != "ReLU" or not hasattr(config, "get"):
        return False
    return (
        config.get("max_value") in (None, 6, 6.0) and not config.get("negative_slope") and not config.get("threshold")
    )
