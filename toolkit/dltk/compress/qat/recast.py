"""The model as it is deployed, as a Keras 3 model again: batch norm folded, activations on their own, equalized.

Steps that train weights on the int8 grid train the numbers that the file holds, not those before folding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from dltk.twin.graph import Graph

__all__ = ["DeployedModel", "as_deployed_model", "load_trained_weights"]


@dataclass(frozen=True)
class DeployedModel:
    """The model and the graph that is read of it."""

    model: Any
    graph: Graph


def as_deployed_model(graph: Graph, tensors: Mapping[str, NDArray[Any]], *, equalize: bool) -> DeployedModel:
    """A deployed graph as a model; it computes the same.

    Args:
        tensors: input name -> calibration samples (n, ...), for equalization.
    """
    from dltk.quantization.equalization import channel_factors, with_channel_factors
    from dltk.twin.keras3 import rebuild
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    if equalize:
        graph = with_channel_factors(graph, channel_factors(graph, tensors))
    model = rebuild(graph)
    return DeployedModel(model, deployed_graph(read(model)))


def load_trained_weights(made: DeployedModel, layers: Mapping[str, Any]) -> None:
    """Put what was trained into the model, kernels as the file holds them.

    Args:
        layers: graph layer name -> tf_keras layer, as `dltk.compress.qat.layers.kernel_wrapper` collects them.
    """
    from dltk.compress.qat.layers import trained_weights
    from dltk.twin.keras3 import put_weights
    from dltk.twin.read import sources

    into = sources(made.model)
    for name, values in trained_weights(made.graph, layers).items():
        put_weights(into[name], replace(made.graph.layers[name], weights=values))
