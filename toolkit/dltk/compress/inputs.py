"""Samples and limits by the names that a layer graph gives its inputs."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dltk.edge.families import family
from dltk.edge.signature import Signature
from dltk.twin.graph import Graph

__all__ = ["graph_inputs", "input_limits"]


def graph_inputs(graph: Graph, raws: NDArray[Any], signature: Signature) -> dict[str, NDArray[Any]]:
    """Input name of the graph -> tensors (n, ...) of raw samples (n, ...)."""
    made = family(signature.family).tensors(raws, signature)
    return {item.name: made[spec.name] for item, spec in zip(graph.inputs, signature.inputs, strict=True)}


def input_limits(graph: Graph, signature: Signature) -> dict[str, tuple[float, float] | None]:
    """Input name of the graph -> the lowest and highest value that may occur; None where that is not known."""
    return {item.name: spec.value_range for item, spec in zip(graph.inputs, signature.inputs, strict=True)}
