"""LSTMs that leave nothing to the next sample, whatever program runs the TFLite file.

TFLite's fused LSTM keeps its state in variable tensors from one invoke to the next. A program that does not reset them
gets wrong outputs from the second sample on. As a loop the layer starts from zeros each time: 3.4 KB more for a layer,
and 0.8 to 2 times its latency (measured for 8 to 128 steps). No loop can be quantized by the converter: beside ranges
of its own a layer of few steps is unrolled instead, which costs 1.4 to 1.9 KB per step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dltk.base.errors import InputError
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Call, Graph, Layer

__all__ = ["STATE_OPERATOR", "stateless"]

STATE_OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"  # the one builtin with variable tensors that the converter writes here
_MOST_STEPS = 64  # that are unrolled


def stateless(graph: Graph, precision: str, plan: QuantizationPlan | None) -> Graph:
    """`graph` with its LSTMs in a form that keeps no state in a TFLite file; their outputs are the same.

    Raises:
        InputError: if the LSTM must be unrolled and its series is longer than 64 steps, or of open length.
    """
    unrolled = precision.startswith("int") and plan is not None and plan.ranges == "native"
    layers = dict(graph.layers)
    for call in _series(graph):
        layer = layers[call.layer]
        if unrolled:
            _require_short(graph, call)
        layers[layer.name] = replace(layer, config=_as(layer.config, "unroll" if unrolled else "loop"))
    return replace(graph, layers=layers)


def _series(graph: Graph) -> Iterator[Call]:
    for call in graph.calls:
        layer = graph.layers[call.layer]
        if layer.kind == "LSTM" or (layer.kind == "Bidirectional" and _inner(layer) == "LSTM"):
            yield call


def _inner(layer: Layer) -> str:
    found = layer.config.get("layer")
    return str(found.get("class_name")) if isinstance(found, Mapping) else ""


def _as(config: Mapping[str, Any], form: str) -> dict[str, Any]:
    """`config` of an LSTM, or of the layer around it, with `form` set."""
    if "layer" not in config:
        return dict(config) | {form: True}
    inner = {
        key: dict(config[key]) | {"config": dict(config[key]["config"]) | {form: True}}
        for key in ("layer", "backward_layer")
        if config.get(key)
    }
    return dict(config) | inner


def _require_short(graph: Graph, call: Call) -> None:
    steps = graph.shapes.get(call.inputs[0], (None,))[0]
    if steps is None or steps > _MOST_STEPS:
        hint = "Leave --stateless out and reset the file's variable tensors before each sample, or export "
        hint += "--precision float32, float16 or dynamic with it."
        rule = f"an int8 LSTM without state is unrolled, which takes a series of at most {_MOST_STEPS} steps"
        raise InputError(f"--stateless: layer {call.layer}", rule, steps, hint)
