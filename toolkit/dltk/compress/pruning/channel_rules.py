"""What each layer does to channels: the rules behind `Row.channels` of `dltk.twin.table`.

A rule gives the channels of the first output, or the reason why nothing that the layer reads or makes may be cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dltk.compress.pruning.channel_groups import ChannelIds, ChannelUnion
from dltk.twin.graph import Call, Layer, refs
from dltk.twin.table import MIXES_CHANNELS, Channels, row

__all__ = ["RULES", "multiplier", "rule_of"]


def rule_of(layer: Layer) -> Channels:
    """The row's rule; a convolution with a group a channel filters each alone, whatever its class is called."""
    if layer.config.get("groups", 1) != 1 and layer.weights[0].shape[-2] == 1:
        return "pass"
    return row(layer.kind, layer.config).channels


def multiplier(layer: Layer) -> int:
    """Output channels an input channel of a depthwise convolution; 1 for other layers."""
    if layer.config.get("groups", 1) != 1:
        return int(layer.config["filters"]) // int(layer.config["groups"])
    return int(layer.config.get("depth_multiplier", 1)) if layer.kind.startswith("Depthwise") else 1


def _make(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    if len(call.inputs) != 1:
        return "reads several tensors"
    if layer.config.get("groups", 1) != 1:
        return "grouped convolution"
    if layer.config.get("activation") in MIXES_CHANNELS:
        at.fix(call.outputs, "softmax: each channel depends on all others")
    if layer.kind == "Embedding":
        at.fix(call.inputs, "token numbers")
    if layer.name in at.first:
        return at.first[layer.name][1]
    return at.new(at.shapes(call)[-1], (layer.name,))


def _read(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    at.fix(call.inputs[1:], "state of a recurrent layer")
    at.fix(call.outputs, "recurrent: its units feed each other")
    for name in call.outputs:
        at.channels[name] = at.new(at.graph.shapes[name], (layer.name,))
    return at.channels[call.outputs[0]]


def _pass(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    given = at.input_channels(call)
    if len(given) != 1 or not call.outputs:
        return "reads several tensors"
    reason = _REFUSES.get(layer.kind, _unsupported_axis)(layer, at.shapes(call)[0])
    if reason:
        return reason
    found: ChannelIds = np.repeat(given[0], multiplier(layer))
    return found if at.shapes(call)[-1][-1:] == (len(found),) else "its last axis is not the channels"


def _unite_inputs(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    *shapes, _ = at.shapes(call)
    if len({len(shape) for shape in shapes}) != 1:
        return "combines tensors of different rank"
    if any(np.size(part) > 1 for part in _constants((call.args, dict(call.kwargs)))):
        return "combines its input with an array"
    given = at.input_channels(call)
    widest = max(len(part) for part in given)
    wide = [part for part in given if len(part) == widest]
    if any(len(part) not in (1, widest) for part in given) or widest == 0:
        return "combines tensors of different width"
    at.merge(*wide)
    return wide[0]


def _constants(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [part for value in structure.values() for part in _constants(value)]
    if isinstance(structure, (list, tuple)):
        return [part for value in structure for part in _constants(value)]
    return [] if list(refs(structure)) or structure is None else [structure]


def _concat(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    if not _is_last(layer.config.get("axis", -1), at.shapes(call)[0]):
        return _unite_inputs(at, call, layer)
    return np.concatenate(at.input_channels(call))


def _reshape(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    """Flatten and the like keep the order of numbers: the last axis holds whole runs of channels, or a run holds it."""
    *_, shape = at.shapes(call)
    before, after = len(at.input_channels(call)[0]), (shape[-1] or 0) if shape else 0
    if before and after and after % before == 0:
        return np.tile(at.input_channels(call)[0], after // before)
    if before and after and before % after == 0:
        rows = at.input_channels(call)[0].reshape(-1, after)
        at.merge(*rows)
        return np.asarray(rows[0])
    return "a reshape that tears channels apart"


def _why_fixed(at: ChannelUnion, call: Call, layer: Layer) -> ChannelIds | str:
    if layer.config.get("activation") in MIXES_CHANNELS:
        return "softmax: each channel depends on all others"
    return "no rule for the channels of this layer"


Rule = Callable[[ChannelUnion, Call, Layer], ChannelIds | str]
RULES: Mapping[str, Rule] = {
    "make": _make,
    "read": _read,
    "pass": _pass,
    "couple": _unite_inputs,
    "concat": _concat,
    "reshape": _reshape,
    "fixed": _why_fixed,
}


def _is_last(axis: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether `axis`, counted with the batch, is the last one alone."""
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    return len(axes) == 1 and axes[0] in (-1, len(shape))


def _unsupported_axis(layer: Layer, shape: tuple[int | None, ...]) -> str:
    return "" if _is_last(layer.config.get("axis", -1), shape) else "works along another axis than the channels"


def _rescaling(layer: Layer, shape: tuple[int | None, ...]) -> str:
    many = max(np.size(layer.config.get(key, 0)) for key in ("scale", "offset")) > 1
    return "scales each channel by its settings" if many else ""


def _permute(layer: Layer, shape: tuple[int | None, ...]) -> str:
    return "" if tuple(layer.config["dims"])[-1] == len(shape) else "moves the channels to another axis"


def _mean(layer: Layer, shape: tuple[int | None, ...]) -> str:
    axis = layer.config.get("axis")
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    return "a mean over the channels" if {None, -1, len(shape)} & {*axes} else ""


_REFUSES: Mapping[str, Callable[[Layer, tuple[int | None, ...]], str]] = {
    "Rescaling": _rescaling,
    "Permute": _permute,
    "op.Mean": _mean,
}
