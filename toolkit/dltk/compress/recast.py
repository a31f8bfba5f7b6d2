"""The model as it is deployed, as a Keras 3 model again: batch norm folded, activations on their own, equalized.

Steps that train weights on the int8 grid train the numbers that the file holds, not those before folding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from dltk.compress.candidate import Candidate, Workbench
from dltk.twin.graph import Graph

__all__ = ["Recast", "inputs_for", "recast", "with_weights"]


@dataclass(frozen=True)
class Recast:
    """The model and the graph that is read of it."""

    model: Any
    graph: Graph


def recast(candidate: Candidate, tensors: Mapping[str, NDArray[Any]], *, equalize: bool) -> Recast:
    """`candidate`'s model as deployed; it computes the same.

    Args:
        tensors: input name -> calibration samples (n, ...), for equalization.
    """
    from dltk.compress.equalize import channel_factors, equalized
    from dltk.twin.keras3 import rebuild
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    graph = deployed(read(candidate.model))
    if equalize:
        graph = equalized(graph, channel_factors(graph, tensors))
    model = rebuild(graph)
    return Recast(model, deployed(read(model)))


def inputs_for(graph: Graph, bench: Workbench, count: int) -> dict[str, NDArray[Any]]:
    """Calibration samples as the graph's inputs, by the graph's own names."""
    from dltk.edge.families import family

    made = family(bench.signature.family).tensors(bench.calibration(count), bench.signature)
    return {item.name: made[spec.name] for item, spec in zip(graph.inputs, bench.signature.inputs, strict=True)}


def with_weights(made: Recast, weights: Mapping[str, tuple[NDArray[Any], ...]]) -> Any:
    """A copy of the recast model with trained weights, by graph layer name."""
    import keras

    from dltk.twin.keras3 import put_weights
    from dltk.twin.read import sources

    copy = keras.models.clone_model(made.model)
    copy.set_weights(made.model.get_weights())
    into = sources(copy)
    for name, values in weights.items():
        put_weights(into[name], replace(made.graph.layers[name], weights=values))
    return copy
