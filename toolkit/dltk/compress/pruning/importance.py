"""How much each channel matters, and what it costs: numbers to choose by which channels go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.compress.pruning.channel_rules import rule_of
from dltk.compress.pruning.dependencies import DependencyGraph
from dltk.data.dataset import Split
from dltk.edge.bundle.signature import Signature
from dltk.twin.graph import Call, Graph, Layer, Ref, map_refs
from dltk.twin.table import row

__all__ = ["Rank", "by_batch_norm", "by_magnitude", "by_taylor", "channel_macs"]

Rank = Literal["taylor", "magnitude", "bn"]
Scores = NDArray[np.float64]
_BATCH = 8  # samples: gradients of many would cancel before they are squared
_READERS = ("make", "read")


def by_magnitude(graph: Graph, dependencies: DependencyGraph) -> Scores:
    """Euclidean length of the weights that make each channel, those of all layers of its group together (count,)."""
    squares = np.zeros(dependencies.count)
    for call in _first_calls(graph):
        layer = graph.layers[call.layer]
        rules = row(layer.kind, layer.config)
        if rule_of(layer) != "make" or rules.kernel is None:
            continue
        kernel = np.moveaxis(np.asarray(layer.weights[rules.kernel], np.float64), rules.channel_axis, -1)
        found = np.square(kernel.reshape(-1, kernel.shape[-1])).sum(0)
        np.add.at(squares, dependencies.channels[call.outputs[0]], found)
    return np.sqrt(squares)


def by_batch_norm(graph: Graph, dependencies: DependencyGraph) -> Scores:
    """Sum of the sizes of gamma over the batch norms of each channel (Liu et al. 2017, arXiv:1708.06519) (count,).

    Channels of groups without batch norm are ranked by magnitude: they are compared within their group only.
    """
    sums = np.zeros(dependencies.count)
    for call in _first_calls(graph):
        layer = graph.layers[call.layer]
        if layer.kind == "BatchNormalization" and layer.config.get("scale", True):
            np.add.at(sums, dependencies.channels[call.outputs[0]], np.abs(np.asarray(layer.weights[0], np.float64)))
    other = by_magnitude(graph, dependencies)
    for group in dependencies.groups:
        if not sums[group.channel_ids].any():
            sums[group.channel_ids] = other[group.channel_ids]
    return sums


def by_taylor(
    graph: Graph,
    dependencies: DependencyGraph,
    samples: Split,
    signature: Signature,
    fit: Any,
    *,
    progress: Progress = SILENT,
) -> Scores:
    """What the loss would change without each channel, to first order, squared (count,).

    Molchanov et al. 2019, arXiv:1906.10771. A gate of one stands where a layer reads the
    channel, at every such place: removing the channel closes them all.

    Args:
        samples: with their targets.
        fit: settings that the loss depends on.
    """
    import tensorflow as tf

    from dltk.models.backend import sliced_points
    from dltk.training.features import model_inputs
    from dltk.training.losses import objective
    from dltk.twin.build import build

    made: dict[str, Any] = {}
    gated, gates = _gated(graph, dependencies)
    twin = build(gated, wrap=lambda name, layer: made.setdefault(name, layer))
    gammas, goal = [made[name].gamma for name in gates], objective(signature, samples.targets, fit)

    @tf.function(reduce_retracing=True, autograph=False)
    def slopes(inputs: list[Any], targets: Any) -> Any:
        with sliced_points(twin), tf.GradientTape() as tape:
            outputs = twin(inputs[0] if len(inputs) == 1 else inputs, training=False)
            loss = tf.reduce_sum(goal.losses(goal.logits(outputs), goal.encode(targets)))
        return tape.gradient(loss, gammas, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    squares = np.zeros(dependencies.count)
    with progress.bar("ranking channels", len(samples)) as bar:
        for start in range(0, len(samples), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(samples)))
            inputs = [tf.constant(part) for part in model_inputs(twin, samples.take(rows), signature)]
            change = np.zeros(dependencies.count)
            for channel_ids, slope in zip(
                gates.values(), slopes(inputs, tf.constant(samples.targets[rows])), strict=True
            ):
                np.add.at(change, channel_ids, slope.numpy().astype(np.float64))
            squares += np.square(change)
            bar.advance(len(rows))
    return squares / max(1, len(samples))


def _gated(graph: Graph, dependencies: DependencyGraph) -> tuple[Graph, dict[str, NDArray[np.int64]]]:
    """`graph` with a factor of one per channel before each layer that reads channels; gate -> channel numbers (C,)."""
    open_atoms = np.zeros(dependencies.count, bool)
    for group in dependencies.groups:
        open_atoms[group.channel_ids] = not group.fixed
    layers, calls, gates = dict(graph.layers), list[Call](), dict[str, NDArray[np.int64]]()
    for number, call in enumerate(graph.calls):
        layer = graph.layers[call.layer]
        source = call.inputs[0] if call.inputs else ""
        channel_ids = dependencies.channels.get(source, np.zeros(0, np.int64))
        if rule_of(layer) in _READERS and open_atoms[channel_ids].any():
            name = f"gate.{number}"
            gates[name] = channel_ids
            layers[name] = Layer(name, "LayerScale", {}, (np.ones(len(channel_ids), np.float32),))
            calls.append(Call(name, (Ref(source),), {}, (name,)))
            call = replace(call, args=map_refs(call.args, _gated_input(source, name)))
        calls.append(call)
    return graph.with_calls(calls, layers), gates


def _gated_input(source: str, gate: str) -> Any:
    return lambda ref: Ref(gate) if ref.tensor == source else ref


def channel_macs(graph: Graph, dependencies: DependencyGraph, macs: Mapping[str, int]) -> Scores:
    """Multiply-accumulates that go with each channel: its share of the layers that make, filter and read it (count,).

    Args:
        macs: layer -> multiply-accumulates a sample.
    """
    found = np.zeros(dependencies.count)
    for call in _first_calls(graph):
        cost = macs.get(call.layer, 0)
        rule = rule_of(graph.layers[call.layer])
        tensors = (*call.inputs[:1], *call.outputs[:1]) if rule in _READERS else call.outputs[:1]
        for channel_ids in (dependencies.channels[name] for name in tensors):
            np.add.at(found, channel_ids, cost / max(1, len(channel_ids)))
    return found


def _first_calls(graph: Graph) -> Iterator[Call]:
    """The first call of each layer."""
    seen = set[str]()
    for call in graph.calls:
        if call.layer not in seen:
            seen.add(call.layer)
            yield call
