"""A layer graph as a tf_keras model: the twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from dltk.base.errors import DltkError, InputError
from dltk.twin.graph import Call, Graph, Layer, map_refs
from dltk.twin.layers import KernelWrapper, make, safe_name
from dltk.twin.table import is_fused, lstm

__all__ = ["Wrap", "build", "carry_back", "layer_names", "rebuilding"]

_OTHERWISE = "Build that part of the model from other layers or settings."
Hook = Callable[[str, Any], Any]
Wrap = Callable[[str, Any], Any]


def build(
    graph: Graph,
    *,
    hook: Hook | None = None,
    wrap: Wrap | None = None,
    batch: int | None = None,
    also: tuple[str, ...] = (),
) -> Any:
    """A tf_keras functional model with the graph's layers and weights, in float32.

    Args:
        hook: (tensor name, tensor) -> tensor, put behind every tensor of the graph, inputs included.
        wrap: (layer name, layer) -> layer, for wrappers such as tfmot's.
        batch: a fixed batch size; None leaves it open.
        also: tensors that become further outputs, after the model's own.
    """
    names = _Names()
    inputs = {
        item.name: tf_keras.Input(item.shape, batch_size=batch, dtype=item.dtype, name=names.of(item.name))
        for item in graph.inputs
    }
    tensors = {name: hook(name, tensor) if hook else tensor for name, tensor in inputs.items()}
    called = layer_names(graph)
    made: dict[str, Any] = {}
    started = {call.layer for call in graph.calls if len(call.inputs) > 1} | _beside_other_loops(graph)
    for call in graph.calls:
        with rebuilding(graph.layers[call.layer]):
            if call.layer not in made:
                given = call.layer in started
                layer = make(graph.layers[call.layer], given_state=given, name=called[call.layer])
                made[call.layer] = wrap(call.layer, layer) if wrap else layer
            outputs = _called(made[call.layer], call, tensors)
        for name, tensor in zip(call.outputs, outputs, strict=True):
            tensors[name] = hook(name, tensor) if hook else tensor
    model = tf_keras.Model(list(inputs.values()), [tensors[name] for name in (*graph.outputs, *also)])
    for name, layer in made.items():
        with rebuilding(graph.layers[name]):
            put_weights(layer, graph.layers[name].weights)
    return model


def layer_names(graph: Graph) -> dict[str, str]:
    """Layer of `graph` -> what it is called in the twin, and so in what the converters make of it."""
    names = _Names()
    for item in graph.inputs:
        names.of(item.name)
    return {layer: names.of(layer) for layer in dict.fromkeys(call.layer for call in graph.calls)}


def _beside_other_loops(graph: Graph) -> set[str]:
    """LSTMs that must not be fused: beside one that is a loop TFLite's converter mixes the two up."""
    found = {name: lstm(layer.kind, layer.config) for name, layer in graph.layers.items()}
    loops = {name: config for name, config in found.items() if config is not None}
    return set() if all(is_fused(config) for config in loops.values()) else set(loops)


class _Names:
    """Names that TensorFlow takes, each once in a model."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, wanted: str) -> str:
        """A name for what the graph calls `wanted`."""
        safe = name = safe_name(wanted)
        number = 1
        while name.lower() in self._taken:  # TensorFlow's scopes make no difference between A and a
            name, number = f"{safe}_{number}", number + 1
        self._taken.add(name.lower())
        return name


def _called(layer: Any, call: Call, tensors: Mapping[str, Any]) -> list[Any]:
    """What `layer` makes of the tensors that `call` reads; as many as the graph has of it."""
    args = map_refs(call.args, lambda ref: tensors[ref.tensor])
    kwargs = map_refs(dict(call.kwargs), lambda ref: tensors[ref.tensor])
    outputs = layer(*args, **kwargs)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if len(outputs) != len(call.outputs):
        raise ValueError(f"{len(call.outputs)} outputs in Keras 3, {len(outputs)} in tf_keras")
    return outputs


@contextmanager
def rebuilding(layer: Layer) -> Iterator[None]:
    """What goes wrong inside is about settings of `layer`, or how it is called, that tf_keras does not follow.

    Raises:
        InputError: names the layer, its class and what tf_keras has against it.
    """
    try:
        yield
    except DltkError:
        raise
    except Exception as fault:  # tf_keras raises whatever comes up
        where = f"layer {layer.name} ({layer.kind})"
        raise InputError(where, "must be one that dltk can rebuild as it is", _reason(fault), _OTHERWISE) from fault


def _reason(fault: Exception) -> str:
    """The line of a message with the reason: tf_keras puts where it was before it, and the arguments behind it."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()] or [type(fault).__name__]
    described = [
        line for line in lines if not line.startswith(("Exception encountered", "Call arguments", "Arguments rec"))
    ]
    return (described or lines)[0]


def put_weights(layer: Any, weights: tuple[NDArray[Any], ...]) -> None:
    """Copy `weights`, in Keras 3's shapes and order, into a tf_keras layer, or into the layer inside a wrapper."""
    target = layer.layer if isinstance(layer, KernelWrapper) else layer
    if weights and target is not None:
        expected = [tuple(variable.shape) for variable in target.weights]
        given = [np.asarray(weight) for weight in weights]
        if len(given) > len(expected):  # Keras 3 keeps a seed or a counter that tf_keras does not
            given = [weight for weight in given if tuple(weight.shape) in expected][: len(expected)]
        target.set_weights(given)


def carry_back(twin: Mapping[str, Any], into: Mapping[str, Any]) -> None:
    """Copy the weights of twin layers into the Keras 3 layers they were read from, both by graph layer name."""
    for name, layer in twin.items():
        values = layer.get_weights()
        if values:
            into[name].set_weights(values)
