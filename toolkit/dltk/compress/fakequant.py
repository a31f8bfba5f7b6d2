"""What 8-bit rounding does to a graph, simulated in float: for the converters to take over, and to choose by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.compress.observe import observe
from dltk.compress.plan import Affine8, QuantizationPlan
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["fake_quant", "on_grids", "rounded", "simulated_error"]

Hook = Callable[[str, Any], Any]


def fake_quant(plan: QuantizationPlan | None) -> Hook | None:
    """(tensor name, tensor) -> tensor on the plan's grid; None where the plan shares no ranges."""
    return on_grids(plan.tensors) if plan is not None and plan.ranges == "shared" else None


def on_grids(grids: Mapping[str, Affine8]) -> Hook:
    """A hook for `dltk.twin.build.build` that rounds each tensor to its grid, where it has one."""
    import tensorflow as tf

    def hook(name: str, tensor: Any) -> Any:
        grid = grids.get(name)
        if grid is None:
            return tensor
        return tf.quantization.fake_quant_with_min_max_args(tensor, min=grid.low, max=grid.high, num_bits=8)

    return hook


def rounded(layer: Layer, scale: NDArray[np.float32]) -> Layer:
    """`layer` with its kernel as int8 weights of `scale` (channels,) give it back."""
    rules = row(layer.kind, layer.config)
    index = rules.kernel or 0
    kernel = layer.weights[index]
    if rules.depthwise:
        shape = (*(1,) * (kernel.ndim - 2), *kernel.shape[-2:])
    else:
        shape = tuple(-1 if i == rules.channel_axis % kernel.ndim else 1 for i in range(kernel.ndim))
    steps = scale.reshape(shape)
    values = (np.clip(np.round(kernel / steps), -127, 127) * steps).astype(np.float32)
    return replace(layer, weights=(*layer.weights[:index], values, *layer.weights[index + 1 :]))


def simulated_error(
    reference: Graph,
    graph: Graph,
    grids: Mapping[str, Affine8],
    scales: Mapping[str, NDArray[np.float32]],
    tensors: Mapping[str, NDArray[Any]],
) -> float:
    """Mean squared difference between `reference` in float and `graph` with rounded weights and activations."""
    layers = dict(graph.layers) | {name: rounded(graph.layers[name], scale) for name, scale in scales.items()}
    in_float = observe(reference, reference.outputs, tensors, list)
    in_int8 = observe(replace(graph, layers=layers), graph.outputs, tensors, list, hook=on_grids(grids))
    total, count = 0.0, 0
    for wanted, found in zip(in_float, in_int8, strict=True):
        total += sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(wanted, found, strict=True))
        count += sum(value.size for value in wanted)
    return total / max(count, 1)
