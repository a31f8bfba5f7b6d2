"""Calibration: the ranges of activations, measured on the twin; the scales of weights, read off them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.compress.plan import Affine8, QuantizationPlan, affine8
from dltk.compress.ties import Ties, ties
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["calibrate", "input_digest", "weight_scales"]

_BATCH = 25


def calibrate(
    graph: Graph,
    tensors: Mapping[str, NDArray[Any]],
    *,
    limits: Mapping[str, tuple[float, float] | None],
    progress: Progress = SILENT,
) -> QuantizationPlan:
    """An int8 plan for a deployed graph.

    Args:
        tensors: input name -> calibration samples (n, ...), as the model takes them.
        limits: input name -> the lowest and highest value that may occur; used as they are where known.
    """
    found = ties(graph)
    calibration = {
        "method": "min-max",
        "samples": len(next(iter(tensors.values()))),
        "digest": input_digest(tensors),
    }
    if any(row(layer.kind).native for layer in graph.layers.values()):
        return QuantizationPlan(
            "int8", "native", weights={}, floats=found.floats, calibration=calibration, samples=dict(tensors)
        )
    measured = _measure(graph, found, tensors, progress)
    measured |= {name: limit for name, limit in limits.items() if limit is not None and name in measured}
    return QuantizationPlan(
        "int8", "shared", _grids(found, measured), weight_scales(graph), found.floats, calibration
    )


def input_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of the samples."""
    parts = [f"{name} {value.dtype} {value.shape} {sha256(np.ascontiguousarray(value).tobytes())}"
             for name, value in sorted(tensors.items())]  # fmt: skip
    return sha256("\n".join(parts).encode())


def weight_scales(graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Layer -> symmetric scales (channels,) of its kernel: max |w| / 127 along the channel axis."""
    scales = {}
    for name, layer in graph.layers.items():
        rules = row(layer.kind, layer.config)
        if rules.kernel is None or not rules.int8 or not layer.weights:
            continue
        kernel = np.abs(np.asarray(layer.weights[rules.kernel], np.float32))
        if rules.depthwise:
            largest = kernel.reshape(-1, int(np.prod(kernel.shape[-2:]))).max(0)
        else:
            axis = rules.channel_axis % kernel.ndim
            largest = kernel.max(axis=tuple(i for i in range(kernel.ndim) if i != axis))
        scales[name] = np.maximum(largest, np.float32(1e-12)) / np.float32(127)
    return scales


def _measure(
    graph: Graph, found: Ties, tensors: Mapping[str, NDArray[Any]], progress: Progress
) -> dict[str, tuple[float, float]]:
    """Tensor -> (lowest, highest) value seen."""
    import tensorflow as tf

    from dltk.twin.build import build

    names = tuple(name for name in found.group if name not in tensors and name not in found.fixed)
    twin = build(graph, also=names)
    skip = len(graph.outputs)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def extremes(batch: list[Any]) -> Any:
        outputs = tf.nest.flatten(twin(batch, training=False))[skip:]
        return tf.stack([[tf.reduce_min(value), tf.reduce_max(value)] for value in outputs])

    count = len(next(iter(tensors.values())))
    rows: list[NDArray[Any]] = []
    with progress.bar("calibrating", count) as bar:
        for start in range(0, count, _BATCH):
            batch = [tf.constant(tensors[item.name][start : start + _BATCH]) for item in graph.inputs]
            rows.append(extremes(batch).numpy())
            bar.advance(len(batch[0]))
    seen = np.stack(rows) if names else np.zeros((1, 0, 2))
    measured = {name: (float(seen[:, i, 0].min()), float(seen[:, i, 1].max())) for i, name in enumerate(names)}
    return measured | {name: (float(value.min()), float(value.max())) for name, value in tensors.items()}


def _grids(found: Ties, measured: Mapping[str, tuple[float, float]]) -> dict[str, Affine8]:
    """Tensor -> grid; the tensors of one group get the range that holds them all."""
    grids = {name: Affine8(1 / 256, 0) if low == 0 else Affine8(1 / 128, 128) for name, (low, _) in found.fixed.items()}
    for members in found.members().values():
        free = [name for name in members if name not in found.fixed and name in measured]
        if free:
            grid = affine8(min(measured[name][0] for name in free), max(measured[name][1] for name in free))
            grids |= dict.fromkeys(free, grid)
    return grids
