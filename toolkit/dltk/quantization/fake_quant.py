"""What integer rounding does to a graph, simulated in float: for the converters to take over, and to choose by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.quantization.codes import per_channel_to_kernel
from dltk.quantization.observers import observe_tensors, tensor_observer
from dltk.quantization.plan import Grid, QuantizationPlan, Symmetric16
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["fake_quant", "rounding_hook", "rounded", "simulated_errors"]

Hook = Callable[[str, Any], Any]


def fake_quant(plan: QuantizationPlan | None, *, borders: bool = False) -> Hook | None:
    """(tensor name, tensor) -> tensor on the plan's grid; None where the plan shares no ranges.

    Args:
        borders: also round inputs and outputs of the graph that only float layers touch.
    """
    if plan is None or plan.ranges != "shared":
        return None
    return rounding_hook({**plan.tensors, **plan.borders} if borders else plan.tensors)


def rounding_hook(grids: Mapping[str, Grid]) -> Hook:
    """A hook for `dltk.twin.build.build` that rounds each tensor to its grid, where it has one."""
    import tensorflow as tf

    def hook(name: str, tensor: Any) -> Any:
        grid = grids.get(name)
        if grid is None:
            return tensor
        bits = 16 if isinstance(grid, Symmetric16) else 8
        return tf.quantization.fake_quant_with_min_max_args(tensor, min=grid.low, max=grid.high, num_bits=bits)

    return hook


def rounded(layer: Layer, scale: NDArray[np.float32]) -> Layer:
    """`layer` with its kernel as int8 weights of `scale` (channels,) or (1,) give it back."""
    index = row(layer.kind, layer.config).kernel or 0
    kernel, steps = layer.weights[index], per_channel_to_kernel(layer, scale)
    values = (np.clip(np.round(kernel / steps), -127, 127) * steps).astype(np.float32)
    return replace(layer, weights=(*layer.weights[:index], values, *layer.weights[index + 1 :]))


def simulated_errors(
    reference: Graph,
    graph: Graph,
    candidates: Mapping[str, Mapping[str, Grid]],
    scales: Mapping[str, NDArray[np.float32]],
    tensors: Mapping[str, NDArray[Any]],
) -> dict[str, float]:
    """Mean squared difference between `reference` in float and `graph` with rounded weights and activations.

    For several sets of grids over the same tensors: graphs are built once.

    Args:
        candidates: name of a set -> its grids, tensor -> grid.
        scales: layer -> scales of its kernel, (channels,) or (1,).
        tensors: input name -> samples (n, ...).
    """
    layers = dict(graph.layers) | {name: rounded(graph.layers[name], scale) for name, scale in scales.items()}
    first = next(iter(candidates.values()))
    hook = _Movable(first)
    run = tensor_observer(replace(graph, layers=layers), graph.outputs, list, hook=hook)
    in_float = list(observe_tensors(reference, reference.outputs, tensors, list))
    errors = {}
    for name, grids in candidates.items():
        hook.move(grids)
        total, count = 0.0, 0
        for wanted, found in zip(in_float, run(tensors), strict=True):
            total += sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(wanted, found, strict=True))
            count += sum(value.size for value in wanted)
        errors[name] = total / max(count, 1)
    return errors


class _Movable:
    """A hook like that of `rounding_hook` whose ranges can be changed in the built model."""

    def __init__(self, grids: Mapping[str, Grid]) -> None:
        self._grids, self._layers = grids, dict[str, Any]()

    def __call__(self, name: str, tensor: Any) -> Any:
        if name not in self._grids:
            return tensor
        self._layers[name] = _rounder(16 if isinstance(self._grids[name], Symmetric16) else 8)
        return self._layers[name](tensor)

    def move(self, grids: Mapping[str, Grid]) -> None:
        for name, layer in self._layers.items():
            layer.low.assign(grids[name].low)
            layer.high.assign(grids[name].high)


def _rounder(bits: int) -> Any:
    import tensorflow as tf
    import tf_keras

    class Rounder(tf_keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.low = tf.Variable(-1.0, trainable=False)
            self.high = tf.Variable(1.0, trainable=False)

        def call(self, tensor: Any) -> Any:
            return tf.quantization.fake_quant_with_min_max_vars(tensor, self.low, self.high, num_bits=bits)

    return Rounder()
