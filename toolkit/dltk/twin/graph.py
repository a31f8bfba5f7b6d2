"""The layer graph: what a functional model is, without the framework that holds it.

Nested models are spliced in, shared layers stay shared. Every tensor has a name that depends on the model alone, so
that ranges measured today fit the graph that is read again tomorrow.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.models.canonical import canonical
from dltk.models.digest import Use, wiring_digest

__all__ = ["Call", "Graph", "GraphInput", "Layer", "Ref", "map_refs", "refs", "unused"]


@dataclass(frozen=True)
class Ref:
    """A tensor, by name, inside the arguments of a call."""

    tensor: str


@dataclass(frozen=True)
class GraphInput:
    """One input of the graph: `shape` is one sample's, with None where a size is open."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Layer:
    """A layer and its weights, in the order of Keras' `get_weights`.

    Attributes:
        kind: Keras class name; operations are called "op.Add".
        config: Keras' own config.
        weights: in the shapes that Keras has them.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    weights: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True)
class Call:
    """One use of a layer. `args` and `kwargs` are what it is called with, tensors replaced by `Ref`."""

    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors it reads, in order."""
        return tuple(ref.tensor for ref in refs((self.args, dict(self.kwargs))))


@dataclass(frozen=True)
class Graph:
    """A model: calls in an order in which every tensor is made before it is read.

    Attributes:
        outputs: names of the tensors that leave the graph.
        shapes: tensor name -> shape of one sample.
    """

    inputs: tuple[GraphInput, ...]
    layers: Mapping[str, Layer]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)

    def consumers(self) -> dict[str, list[Call]]:
        """Tensor name -> the calls that read it."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            for name in dict.fromkeys(call.inputs):
                found.setdefault(name, []).append(call)
        return found

    def producers(self) -> dict[str, Call]:
        """Tensor name -> the call that makes it; inputs of the graph are not in it."""
        return {name: call for call in self.calls for name in call.outputs}

    def uses(self) -> dict[str, int]:
        """Layer name -> how many calls it has."""
        found: dict[str, int] = {}
        for call in self.calls:
            found[call.layer] = found.get(call.layer, 0) + 1
        return found

    def kind(self, call: Call) -> str:
        """Class name of the layer that `call` uses."""
        return self.layers[call.layer].kind

    def with_calls(self, calls: list[Call], layers: Mapping[str, Layer], renamed: Mapping[str, str] = {}) -> Graph:
        """This graph with other calls and layers; tensors in `renamed` are read under their new name."""
        if renamed:
            calls = [
                replace(
                    call,
                    args=map_refs(call.args, lambda r: Ref(_final(r.tensor, renamed))),
                    kwargs=map_refs(dict(call.kwargs), lambda r: Ref(_final(r.tensor, renamed))),
                )
                for call in calls
            ]
        outputs = tuple(_final(name, renamed) for name in self.outputs)
        used = {call.layer for call in calls}
        kept = {name: layer for name, layer in layers.items() if name in used}
        return replace(self, calls=tuple(calls), layers=kept, outputs=outputs)

    def weight_count(self) -> int:
        """Numbers in all weights."""
        return sum(int(np.size(weight)) for layer in self.layers.values() for weight in layer.weights)

    def digest(self) -> str:
        """SHA-256 of layers, calls, weights and outputs, as `dltk.models.digest` has it of a model.

        Unlike there, names count: a plan knows tensors and layers by them.
        """
        layers: dict[Hashable, Any] = {
            name: [name, layer.kind, canonical(layer.config), canonical(layer.weights)]
            for name, layer in self.layers.items()
        }
        uses = [Use(call.layer, [call.outputs, call.args, dict(call.kwargs)], call.outputs) for call in self.calls]
        inputs = [(item.name, [item.name, canonical(item.shape), item.dtype]) for item in self.inputs]
        return wiring_digest(inputs, layers, uses, self.outputs, lambda value: getattr(value, "tensor", None))


def refs(structure: Any) -> Iterator[Ref]:
    """Every `Ref` in nested lists, tuples and dicts, in order."""
    if isinstance(structure, Ref):
        yield structure
    elif isinstance(structure, Mapping):
        for value in structure.values():
            yield from refs(value)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from refs(value)


def map_refs(structure: Any, change: Callable[[Ref], Any]) -> Any:
    """The same nesting with every `Ref` replaced."""
    if isinstance(structure, Ref):
        return change(structure)
    if isinstance(structure, Mapping):
        return {key: map_refs(value, change) for key, value in structure.items()}
    if isinstance(structure, tuple):
        return tuple(map_refs(value, change) for value in structure)
    if isinstance(structure, list):
        return [map_refs(value, change) for value in structure]
    return structure


def unused(wanted: str, *taken: Container[str]) -> str:
    """`wanted`, with a mark behind it where something in `taken` is called so already."""
    while any(wanted in names for names in taken):
        wanted += "'"
    return wanted


def _final(name: str, renamed: Mapping[str, str]) -> str:
    while name in renamed:
        name = renamed[name]
    return name
