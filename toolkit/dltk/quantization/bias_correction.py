"""What is mended before int8 ranges are measured: channels equalized, then biases corrected. No training needed.

Bias correction takes back the shift that rounding the weights gives to each channel's mean. Rounded weights are wrong
by a fixed amount, so a layer's output is off by a fixed amount on average; the bias can undo that exactly (Nagel et
al. 2019, arXiv:1906.04721, section 4.2; here with measured instead of assumed inputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.quantization.calibration import weight_scales
from dltk.quantization.equalization import channel_factors, with_channel_factors
from dltk.quantization.fake_quant import rounded
from dltk.quantization.observers import observe_tensors
from dltk.quantization.plan import QuantizationPlan
from dltk.quantization.scheme import Scheme
from dltk.twin.graph import Call, Graph, Layer

__all__ = ["BiasCorrection", "bias_shifts", "find_bias_correction", "with_corrections", "with_bias_shifts"]


@dataclass(frozen=True)
class BiasCorrection:
    """A bias correction, and the graph with it.

    Attributes:
        factors: group -> factors (channels,); see `dltk.quantization.equalization.channel_factors`.
        shifts: layer -> what is added to its bias (channels,).
    """

    graph: Graph
    factors: Mapping[str, NDArray[np.float32]]
    shifts: Mapping[str, NDArray[np.float32]]


def find_bias_correction(
    graph: Graph, tensors: Mapping[str, NDArray[Any]], *, scheme: Scheme | None = None
) -> BiasCorrection:
    """Equalize the channels of a deployed graph and correct its biases, by calibration samples.

    Args:
        tensors: input name -> calibration samples (n, ...).
    """
    factors = channel_factors(graph, tensors)
    graph = with_channel_factors(graph, factors)
    shifts = bias_shifts(graph, tensors, weight_scales(graph, scheme))
    return BiasCorrection(with_bias_shifts(graph, shifts), factors, shifts)


def with_corrections(graph: Graph, plan: QuantizationPlan) -> Graph:
    """`graph` as the plan's ranges were measured on it: what int8 files are made of."""
    return with_bias_shifts(with_channel_factors(graph, plan.factors), plan.shifts)


def bias_shifts(
    graph: Graph, tensors: Mapping[str, NDArray[Any]], scales: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Layer -> what to add to its bias (channels,), for layers with int8 weights of `scales` and a bias.

    Args:
        graph: deployed, in float.
        tensors: input name -> calibration samples (n, ...).
    """
    import tensorflow as tf

    uses = graph.uses()
    calls = [call for call in graph.calls if call.layer in scales and _has_bias(graph.layers[call.layer])]
    calls = [call for call in calls if uses[call.layer] == 1]
    layers, beside = dict(graph.layers), []
    for call in calls:
        name = f"{call.layer}.rounded"
        layers[name] = replace(rounded(graph.layers[call.layer], scales[call.layer]), name=name)
        beside.append(Call(name, call.args, call.kwargs, (f"{call.outputs[0]}.rounded",)))
    names = [name for call, other in zip(calls, beside, strict=True) for name in (call.outputs[0], other.outputs[0])]

    def sums(watched: list[Any]) -> list[Any]:
        pairs = zip(watched[::2], watched[1::2], strict=True)
        return [tf.reduce_sum(a - b, axis=list(range(a.shape.rank - 1))) / _positions(a) for a, b in pairs]

    totals: list[Any] = [0.0] * len(calls)
    for found in observe_tensors(graph.with_calls([*graph.calls, *beside], layers), names, tensors, sums):
        totals = [total + part for total, part in zip(totals, found, strict=True)]
    count = len(next(iter(tensors.values())))
    return {call.layer: np.asarray(total / count, np.float32) for call, total in zip(calls, totals, strict=True)}


def with_bias_shifts(graph: Graph, shifts: Mapping[str, NDArray[np.float32]]) -> Graph:
    """`graph` with its biases moved; weights stay as they are.

    Args:
        shifts: layer -> what is added to its bias (channels,).
    """
    layers = dict(graph.layers)
    for name, shift in shifts.items():
        kernel, bias = layers[name].weights
        layers[name] = replace(layers[name], weights=(kernel, (bias + shift).astype(np.float32)))
    return replace(graph, layers=layers)


def _has_bias(layer: Layer) -> bool:
    return len(layer.weights) == 2 and bool(layer.config.get("use_bias", True))


def _positions(tensor: Any) -> float:
    """Places in a sample's output over which a channel's mean is taken."""
    return float(np.prod(tuple(tensor.shape[1:-1]), dtype=np.int64) or 1)
