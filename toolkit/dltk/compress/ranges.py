"""Calibration: the ranges of activations, measured on the twin; the scales of weights, read off them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.compress.clipping import clipped, histograms
from dltk.compress.fakequant import simulated_error
from dltk.compress.observe import observe
from dltk.compress.plan import Affine8, QuantizationPlan, affine8
from dltk.compress.ties import Ties, ties
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["calibrate", "input_digest", "weight_scales"]

_HISTOGRAM_SAMPLES = 100  # enough for the shape of a distribution; the extremes come from all


def calibrate(
    graph: Graph,
    tensors: Mapping[str, NDArray[Any]],
    *,
    limits: Mapping[str, tuple[float, float] | None],
    method: str = "best",
    reference: Graph | None = None,
    progress: Progress = SILENT,
) -> QuantizationPlan:
    """An int8 plan for a deployed graph.

    A fifth of the samples sets no ranges: on it the simulated int8 outputs are compared with float ones. The plan's
    `calibration` names the method and that error.

    Args:
        tensors: input name -> calibration samples (n, ...), as the model takes them.
        limits: input name -> the lowest and highest value that may occur; used as they are where known.
        method: "min-max", "mse" (clips what is rare), or "best": the one of both with the smaller error.
        reference: the graph whose float outputs are right; `graph` itself if None.
    """
    found = ties(graph)
    count = len(next(iter(tensors.values())))
    told: dict[str, Any] = {"method": "native", "samples": count, "digest": input_digest(tensors)}
    if any(row(layer.kind, layer.config).native for layer in graph.layers.values()):
        return QuantizationPlan("int8", "native", floats=found.floats, calibration=told, samples=dict(tensors))
    kept = count - count // 5
    setting = {name: value[:kept] for name, value in tensors.items()}
    held_out = {name: value[kept:] if kept < count else value for name, value in tensors.items()}
    measured = _measure(graph, found, setting, progress)
    measured |= {name: limit for name, limit in limits.items() if limit is not None and name in measured}
    candidates = {"min-max": _grids(found, measured)} if method != "mse" else {}
    if method != "min-max":
        few = {name: value[:_HISTOGRAM_SAMPLES] for name, value in setting.items()}
        candidates["mse"] = _grids(found, measured, histograms(graph, measured, few, progress=progress))
    scales = weight_scales(graph)
    errors = {
        name: simulated_error(reference or graph, graph, grids, scales, held_out) for name, grids in candidates.items()
    }
    told |= {"method": min(errors, key=errors.__getitem__), "held_out_error": errors}
    return QuantizationPlan("int8", "shared", candidates[told["method"]], scales, found.floats, told)


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

    names = [name for name in found.group if name not in tensors and name not in found.fixed]

    def extremes(watched: list[Any]) -> list[Any]:
        return [tf.stack([tf.reduce_min(value), tf.reduce_max(value)]) for value in watched]

    seen = np.array(list(observe(graph, names, tensors, extremes, progress=progress)))
    measured = {name: (float(seen[:, i, 0].min()), float(seen[:, i, 1].max())) for i, name in enumerate(names)}
    return measured | {name: (float(value.min()), float(value.max())) for name, value in tensors.items()}


def _grids(
    found: Ties,
    measured: Mapping[str, tuple[float, float]],
    counts: Mapping[str, NDArray[np.int64]] | None = None,
) -> dict[str, Affine8]:
    """Tensor -> grid; the tensors of one group share a range: the one that holds them all, or, with `counts`, clips."""
    grids = {name: Affine8(1 / 256, 0) if low == 0 else Affine8(1 / 128, 128) for name, (low, _) in found.fixed.items()}
    for members in found.members().values():
        free = [name for name in members if name not in found.fixed and name in measured]
        if free:
            grids |= dict.fromkeys(free, affine8(*clipped(free, measured, counts or {})))
    return grids
