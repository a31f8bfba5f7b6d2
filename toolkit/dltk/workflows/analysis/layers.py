"""What became of each layer: channels, zeros, different values, precision, and how far int8 is from float behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.calibration import graph_inputs
from dltk.quantization.codes import distinct_codes, sparsity
from dltk.quantization.equalization import with_channel_factors
from dltk.quantization.fake_quant import fake_quant, rounded
from dltk.quantization.observers import observe_tensors
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import LayerRow, SkippedBy, StepRow
from dltk.twin.graph import Graph
from dltk.twin.table import row
from dltk.workflows.analysis.divergence import Probe, probes, samples_that_fit

__all__ = ["layer_rows", "signal_to_noise"]

_CLEAN = 200.0  # dB shown where nothing differs at all


def layer_rows(
    source: Any,
    model: Any,
    plan: QuantizationPlan | None,
    signature: Signature,
    raws: NDArray[Any],
    steps: Sequence[StepRow],
) -> list[LayerRow]:
    """One row per layer that has a kernel, in the order of the exported graph.

    Args:
        source, model: Keras 3, before and after the compression.
        raws: samples (n, ...) that the noise of int8 is measured on; the first few dozen are used.
        steps: what each step reported.
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    before, graph = deployed_graph(read(source)), deployed_graph(read(model))
    noise = signal_to_noise(graph, plan, signature, raws)
    emitted = graph if plan is None else with_corrections(graph, plan)
    found, channels, earlier = [], _channels(graph), _channels(before)
    for name, layer in emitted.layers.items():
        index = row(layer.kind, layer.config).kernel
        if index is None or not layer.weights:
            continue
        made = LayerRow(
            layer=name,
            kind=layer.kind,
            channels_before=earlier.get(name),
            channels=channels.get(name),
            weights=sum(int(np.size(weight)) for weight in layer.weights),
            sparsity=sparsity(layer),
            clusters=distinct_codes(graph.layers[name]) or None,
            precision=_precision(name, plan),
            snr_db=noise.get(name),
            left=_left(name, steps),
        )
        found.append(made)
    return found


def signal_to_noise(
    graph: Graph, plan: QuantizationPlan | None, signature: Signature, raws: NDArray[Any]
) -> dict[str, float]:
    """Layer -> dB between its output in float and on the plan's grids, all layers before it on theirs too.

    10 log10(sum of float squared / sum of differences squared) over all samples and values; int8 is simulated. Empty
    where the plan shares no ranges.

    Args:
        raws: raw samples (n, ...).
    """
    hook = fake_quant(plan)
    if plan is None or hook is None:
        return {}
    found = [probe for probe in probes(graph) if probe.tensor in plan.tensors]
    tensors = graph_inputs(graph, raws[: samples_that_fit(graph, found)], signature)
    names = [probe.tensor for probe in found]
    mended = with_corrections(graph, plan)
    layers = {name: rounded(mended.layers[name], scale) for name, scale in plan.weights.items() if name in graph.layers}
    in_int8 = replace(mended, layers=dict(mended.layers) | layers)
    # Equalization moves channels, so that float is read behind it as well; shifted biases belong to rounded weights.
    clean = observe_tensors(with_channel_factors(graph, plan.factors), names, tensors, list)
    noisy = observe_tensors(in_int8, names, tensors, list, hook=hook)
    sums = np.zeros((2, len(names)))
    for wanted, got in zip(clean, noisy, strict=True):
        for i, (a, b) in enumerate(zip(wanted, got, strict=True)):
            sums[:, i] += np.square(a, dtype=np.float64).sum(), np.square(a - b, dtype=np.float64).sum()
    return _decibels(found, sums)


def _decibels(found: Sequence[Probe], sums: NDArray[np.float64]) -> dict[str, float]:
    """A layer used twice is reported by its noisier use."""
    told: dict[str, float] = {}
    for probe, signal, noise in zip(found, *sums, strict=True):
        if signal > 0:
            ratio = min(_CLEAN, 10 * float(np.log10(signal / noise))) if noise > 0 else _CLEAN
            told[probe.layer] = min(ratio, told.get(probe.layer, _CLEAN))
    return told


def _channels(graph: Graph) -> dict[str, int]:
    shapes = {call.layer: graph.shapes.get(call.outputs[0], ()) for call in graph.calls}
    return {name: int(shape[-1]) for name, shape in shapes.items() if shape and shape[-1] is not None}


def _left(name: str, steps: Sequence[StepRow]) -> tuple[SkippedBy, ...]:
    """Which steps left the layer as it was, and why."""
    return tuple(SkippedBy(step.name, item.reason) for step in steps for item in step.skipped if item.layer == name)


def _precision(name: str, plan: QuantizationPlan | None) -> str:
    return "float32" if plan is None or name in plan.floats else plan.precision
