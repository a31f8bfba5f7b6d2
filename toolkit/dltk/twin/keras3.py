"""A layer graph as a Keras 3 model again: what a Run holds after the graph was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dltk.twin.graph import Graph, Layer, map_refs

__all__ = ["copied", "put_weights", "rebuild"]


def rebuild(graph: Graph) -> Any:
    """A functional Keras 3 model with the graph's layers, calls and weights.

    Layers keep their names, shared ones stay shared; inputs keep names and order. The sizes in a layer's config must
    be those of its weights. Reading the model gives the same layers; its tensors are named after the layers that make
    them, so that a graph whose rewrites named some otherwise is stable from the second reading on.
    """
    import keras

    inputs = {item.name: keras.Input(item.shape, dtype=item.dtype, name=item.name) for item in graph.inputs}
    tensors: dict[str, Any] = dict(inputs)
    made: dict[str, Any] = {}
    for call in graph.calls:
        if call.layer not in made:
            made[call.layer] = _make(graph.layers[call.layer])
        args = map_refs(call.args, lambda ref: tensors[ref.tensor])
        kwargs = map_refs(dict(call.kwargs), lambda ref: tensors[ref.tensor])
        found = made[call.layer](*args, **kwargs)
        tensors.update(zip(call.outputs, found if isinstance(found, (list, tuple)) else [found], strict=True))
    outputs = _single([tensors[name] for name in graph.outputs])
    # A name of its own: Keras would count models, and equal ones would differ in their files.
    model = keras.Model(_single(list(inputs.values())), outputs, name="model")
    for name, layer in made.items():
        put_weights(layer, graph.layers[name])
    return model


def _make(layer: Layer) -> Any:
    import keras
    from keras.src.applications.convnext import LayerScale

    if layer.kind.startswith("op."):
        return _operation(layer)
    if layer.kind == "Affine":
        return _affine(layer)
    kind = LayerScale if layer.kind == "LayerScale" else getattr(keras.layers, layer.kind)
    return kind.from_config(_without_build(layer.config) | {"name": layer.name})


def _without_build(config: Any) -> Any:
    """A config, with those of layers inside, that builds from the tensors it meets: shapes may have changed."""
    if isinstance(config, Mapping):
        return {key: _without_build(value) for key, value in config.items() if key != "build_config"}
    return config


def _operation(layer: Layer) -> Any:
    """The class, not the function of `keras.ops`: only a class takes a name."""
    from keras.src.ops import nn, numpy

    name = layer.kind.removeprefix("op.")
    kind = getattr(numpy, name, None) or getattr(nn, name)
    return kind(**layer.config, name=layer.name)


def _affine(layer: Layer) -> Any:
    """A batch norm whose statistics change nothing; frozen, since training would give it others."""
    import keras

    return keras.layers.BatchNormalization(epsilon=0.0, trainable=False, name=layer.name)


def copied(model: Any) -> Any:
    """A Keras 3 model with layers and weights of its own that computes what `model` does."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def put_weights(made: Any, layer: Layer) -> None:
    """Copy the weights of `layer` into the Keras 3 layer that `rebuild` made of it."""
    if layer.kind == "Affine":
        scale, offset = (np.asarray(weight, np.float32) for weight in layer.weights)
        made.set_weights([scale, offset, np.zeros_like(scale), np.ones_like(scale)])
    elif layer.weights:
        made.set_weights(list(layer.weights))
        if layer.kind == "Normalization":
            made.finalize_state()  # it computes with constants that are made of its weights


def _single(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
