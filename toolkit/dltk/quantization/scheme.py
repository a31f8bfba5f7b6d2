"""Settings of an integer plan other than its ranges: layers left float, 7-bit weights, one scale per Dense layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dltk.base.errors import InputError, did_you_mean
from dltk.quantization.codes import LEVELS
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["KEPT", "NARROW", "Scheme", "float_layers"]

KEPT = "kept float by --step quantize:keep="
NARROW = 63  # of 7-bit weights on each side of zero: two products of uint8 and such a weight fit into int16


@dataclass(frozen=True)
class Scheme:
    """How weights and activations become integers.

    Attributes:
        keep: layers of the deployed graph that stay float, as `float_layers` gives them.
        levels: steps of a weight above and below zero: 127, or 63 for processors that add pairs of products in int16.
        per_tensor_dense: one scale for the whole kernel of a Dense layer.
        bits: of activations, 8 or 16.
    """

    keep: frozenset[str] = frozenset()
    levels: int = LEVELS
    per_tensor_dense: bool = False
    bits: int = 8


def float_layers(names: Iterable[str], model: Graph, graph: Graph) -> frozenset[str]:
    """The layers of the deployed `graph` that `names` mean: its own, those of `model`, or of a model nested in it.

    With a layer go its parts: the two convolutions of a separable one, the activation inside.

    Raises:
        InputError: if a name is no layer's, or the layer has no weights of its own in the deployed graph.
    """
    found: set[str] = set()
    for name in names:
        parts = _parts(name, graph)
        if any(graph.layers[part].weights for part in parts):
            found |= {part for part in parts if row(graph.layers[part].kind, graph.layers[part].config).int8}
            continue
        where = f"--step quantize:keep={name}"
        known = {layer for layer, item in graph.layers.items() if item.weights}
        if parts:
            rule = "must have weights: what has none is computed on its neighbours' grids"
            raise InputError(where, rule, graph.layers[parts[0]].kind)
        if _parts(name, model):
            rule = "must be in the exported graph: this layer is folded into a neighbour, or works in training only"
            raise InputError(where, rule, hint=f"Name that neighbour. Known: {', '.join(sorted(known))}.")
        raise InputError(where, "names no layer of the model", name, did_you_mean(name, known | set(model.layers)))
    return frozenset(found)


def _parts(name: str, graph: Graph) -> list[str]:
    return [layer for layer in graph.layers if layer == name or layer.startswith(f"{name}.")]
