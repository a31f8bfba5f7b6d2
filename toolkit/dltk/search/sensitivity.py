"""How much int8 hurts each layer, alone: only its weights and outputs are rounded, all else stays float."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.quantization.fake_quant import rounded, rounding_hook
from dltk.quantization.plan import Grid, QuantizationPlan
from dltk.twin.graph import Graph, Layer

__all__ = ["Effect", "layer_rows", "sensitivity"]

_BATCH = 50
_NO_ERROR = 200.0  # dB, where nothing was lost at all

Outputs = list[NDArray[Any]]


@dataclass(frozen=True)
class Effect:
    """What rounding one layer does.

    Attributes:
        weights: numbers in its kernel.
        signal_to_noise: of the model's outputs, in dB: the power of float outputs over that of the difference.
        drop: of the metric on the samples looked at, positive where it became worse; None without a metric.
    """

    layer: str
    weights: int
    signal_to_noise: float
    drop: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def layer_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of `Effect.as_dict` under "layers", as they are kept in a file.

    Raises:
        LookupError, TypeError, ValueError: if they are none.
    """
    rows: list[dict[str, Any]] = found["layers"]
    if not isinstance(rows, list) or not all(_is_effect(Effect(**row)) for row in rows):
        raise ValueError("a layer has a name and figures")
    return rows


def _is_effect(effect: Effect) -> bool:
    figures = [effect.weights, effect.signal_to_noise, *(() if effect.drop is None else (effect.drop,))]
    finite = all(type(value) in (int, float) and abs(value) <= sys.float_info.max for value in figures)
    return isinstance(effect.layer, str) and finite


def sensitivity(
    graph: Graph,
    plan: QuantizationPlan,
    tensors: Mapping[str, NDArray[Any]],
    *,
    score: Callable[[Outputs], float] | None = None,
    progress: Progress = SILENT,
) -> list[Effect]:
    """The effect of each layer with int8 weights, the one that hurts most first.

    The model is built and compiled once; a layer is a change of weights and a switch. The order is that of the
    signal-to-noise ratio: a metric changes in steps of one sample, which is coarse for few samples.

    Args:
        graph: deployed, as the plan's ranges were measured on it.
        tensors: input name -> samples (n, ...).
        score: the graph's outputs -> a figure that is higher where they are better.
    """
    layers = [name for name, layer in graph.layers.items() if name in plan.weights and layer.weights]
    owners, found = _owners(graph, plan, layers), []
    twin = _Twin(graph, plan.tensors, owners)
    reference = twin.outputs(tensors)
    before = None if score is None else score(reference)
    power = sum(float(np.square(value, dtype=np.float64).sum()) for value in reference)
    with progress.bar("sensitivity", len(layers)) as bar:
        for name in layers:
            with twin.only(name, rounded(graph.layers[name], plan.weights[name])):
                outputs = twin.outputs(tensors)
            error = sum(float(np.square(a - b, dtype=np.float64).sum())
                        for a, b in zip(reference, outputs, strict=True))  # fmt: skip
            drop = None if score is None or before is None else before - score(outputs)
            size = max(weight.size for weight in graph.layers[name].weights)
            found.append(Effect(name, int(size), _decibel(power, error), drop))
            bar.advance(1, name)
    return sorted(found, key=lambda effect: effect.signal_to_noise)


def _owners(graph: Graph, plan: QuantizationPlan, layers: list[str]) -> dict[str, str]:
    """Tensor with a grid -> the weighted layer that makes it, itself or through the activation fused into it."""
    found, consumers = {}, graph.consumers()
    for call in graph.calls:
        if call.layer not in layers:
            continue
        name = call.outputs[0]
        while name not in plan.tensors and len(consumers.get(name, [])) == 1:
            name = consumers[name][0].outputs[0]
        if name in plan.tensors:
            found[name] = call.layer
    return found


class _Twin:
    """The graph with a switch at every tensor that a weighted layer makes."""

    def __init__(self, graph: Graph, grids: Mapping[str, Grid], owners: Mapping[str, str]) -> None:
        import tensorflow as tf

        from dltk.twin.build import build

        self._graph, self._layers, self._switches = graph, dict[str, Any](), dict[str, list[Any]]()
        make, round_to = _switch_class(), rounding_hook(grids)

        def hook(name: str, tensor: Any) -> Any:
            if name not in owners:
                return tensor
            switch = make(lambda value: round_to(name, value))
            self._switches.setdefault(owners[name], []).append(switch)
            return switch(tensor)

        def wrap(name: str, layer: Any) -> Any:
            self._layers[name] = layer
            return layer

        twin = build(graph, hook=hook, wrap=wrap)
        self._run = tf.function(
            lambda batch: tf.nest.flatten(twin(batch, training=False)), reduce_retracing=True, autograph=False
        )

    def outputs(self, tensors: Mapping[str, NDArray[Any]]) -> Outputs:
        """The graph's outputs (n, ...), in order."""
        import tensorflow as tf

        count, found = len(next(iter(tensors.values()))), []
        for start in range(0, count, _BATCH):
            batch = [tf.constant(tensors[item.name][start : start + _BATCH]) for item in self._graph.inputs]
            found.append([value.numpy() for value in self._run(batch)])
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def only(self, name: str, layer: Layer) -> Any:
        """A block in which this layer has these weights and rounds what it makes."""
        from contextlib import contextmanager

        from dltk.twin.build import put_weights

        @contextmanager
        def block() -> Iterator[None]:
            for switch in self._switches.get(name, []):
                switch.on.assign(True)
            put_weights(self._layers[name], layer.weights)
            try:
                yield
            finally:
                put_weights(self._layers[name], self._graph.layers[name].weights)
                for switch in self._switches.get(name, []):
                    switch.on.assign(False)

        return block()


def _switch_class() -> Any:
    """A layer that rounds while it is on, and lets pass while it is off."""
    import tensorflow as tf
    import tf_keras

    class Switch(tf_keras.layers.Layer):
        def __init__(self, change: Callable[[Any], Any]) -> None:
            super().__init__()
            self.change = change
            self.on = tf.Variable(False, trainable=False)

        def call(self, tensor: Any) -> Any:
            return tf.where(self.on, self.change(tensor), tensor)

    return Switch


def _decibel(power: float, error: float) -> float:
    if error <= 0 or power <= 0:
        return _NO_ERROR
    return min(_NO_ERROR, 10 * math.log10(power / error))
