"""Calibration: the ranges of activations, measured on the twin; the scales of weights, read off them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.quantization.codes import largest
from dltk.quantization.fake_quant import simulated_errors
from dltk.quantization.observers import observe_tensors
from dltk.quantization.plan import Affine8, Grid, QuantizationPlan, Symmetric16, affine8, symmetric16
from dltk.quantization.range_methods import CLIPPING, Clipping, clipped_range, histograms
from dltk.quantization.scheme import Scheme
from dltk.quantization.shared_ranges import SharedRanges, native_loops, shared_ranges
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["calibrate", "graph_inputs", "input_digest", "input_limits", "weight_scales"]

_HISTOGRAM_SAMPLES = 100  # enough for the shape of a distribution; the extremes come from all


def calibrate(
    graph: Graph,
    tensors: Mapping[str, NDArray[Any]],
    *,
    limits: Mapping[str, tuple[float, float] | None],
    method: str = "best",
    scheme: Scheme | None = None,
    reference: Graph | None = None,
    progress: Progress = SILENT,
) -> QuantizationPlan:
    """An integer plan for a deployed graph.

    A fifth of the samples sets no ranges: on it the simulated outputs are compared with float ones. The plan's
    `calibration` names the method and the error of each that was tried.

    Args:
        tensors: input name -> calibration samples (n, ...), as the model takes them.
        limits: input name -> the lowest and highest value that may occur; used as they are where known.
        method: "min-max", one of `dltk.quantization.range_methods`, or "best": the one of all with the least error.
            Activations of 16 bits have steps to spare: theirs are always "min-max".
        scheme: settings of the plan other than its ranges.
        reference: the graph whose float outputs are right; `graph` itself if None.
    """
    scheme = scheme or Scheme()
    found = shared_ranges(graph, scheme.keep, scheme.bits)
    described = {"method": "native", "samples": len(next(iter(tensors.values()))), "digest": input_digest(tensors)}
    plan = QuantizationPlan(
        "int8" if scheme.bits == 8 else "int16x8",
        floats=found.floats,
        calibration=described,
        levels=scheme.levels,
        per_tensor_dense=scheme.per_tensor_dense,
    )
    if native_loops(graph):
        return replace(plan, ranges="native", samples=dict(tensors))
    setting, held_out = _split(tensors)
    measured = _measure(graph, found, setting, progress)
    measured |= {name: limit for name, limit in limits.items() if limit is not None and name in measured}
    candidates = _candidates(graph, found, measured, setting, scheme, method, progress)
    scales = weight_scales(graph, scheme)
    inner = {name: _without(grids, found.free) for name, grids in candidates.items()}
    errors = simulated_errors(reference or graph, graph, inner, scales, held_out)
    best = min(errors, key=errors.__getitem__)
    ends = {*graph.outputs, *(item.name for item in graph.inputs)} & found.free
    return replace(
        plan,
        ranges="shared",
        tensors=inner[best],
        borders={name: grid for name, grid in candidates[best].items() if name in ends},
        weights=scales,
        calibration=described | {"method": best, "held_out_error": errors},
    )


def _split(tensors: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Samples that set ranges, and the fifth of all that chooses among them; fewer than five do both."""
    count = len(next(iter(tensors.values())))
    kept = count - count // 5
    setting = {name: value[:kept] for name, value in tensors.items()}
    return setting, {name: value[kept:] if kept < count else value for name, value in tensors.items()}


def _candidates(
    graph: Graph,
    found: SharedRanges,
    measured: Mapping[str, tuple[float, float]],
    setting: Mapping[str, NDArray[Any]],
    scheme: Scheme,
    method: str,
    progress: Progress,
) -> dict[str, dict[str, Grid]]:
    """Method -> grids, for all methods or the one that is asked for."""
    if scheme.bits == 16:
        return {"min-max": _grids(found, measured, bits=16)}
    plain = {"min-max": _grids(found, measured)} if method in ("best", "min-max") else {}
    wanted: list[Clipping] = [name for name in CLIPPING if method in ("best", name)]
    if not wanted:
        return plain
    few = {name: value[:_HISTOGRAM_SAMPLES] for name, value in setting.items()}
    counts = histograms(graph, measured, few, progress=progress)
    return plain | {name: _grids(found, measured, counts, name) for name in wanted}


def input_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of the samples."""
    parts = [f"{name} {value.dtype} {value.shape} {sha256(np.ascontiguousarray(value).tobytes())}"
             for name, value in sorted(tensors.items())]  # fmt: skip
    return sha256("\n".join(parts).encode())


def weight_scales(graph: Graph, scheme: Scheme | None = None) -> dict[str, NDArray[np.float32]]:
    """Layer -> symmetric scales of its kernel, max |w| / 127: (channels,), or (1,) with one for the whole kernel."""
    scheme = scheme or Scheme()
    scales = {}
    for name, layer in graph.layers.items():
        rules = row(layer.kind, layer.config)
        if rules.kernel is None or not rules.int8 or not layer.weights or name in scheme.keep:
            continue
        found = largest(layer)
        whole = scheme.per_tensor_dense and layer.kind == "Dense"
        scales[name] = (found.max(keepdims=True) if whole else found) / np.float32(scheme.levels)
    return scales


def _measure(
    graph: Graph, found: SharedRanges, tensors: Mapping[str, NDArray[Any]], progress: Progress
) -> dict[str, tuple[float, float]]:
    """Tensor -> (lowest, highest) value seen."""
    import tensorflow as tf

    names = [name for name in found.group if name not in tensors and name not in found.fixed]

    def extremes(watched: list[Any]) -> list[Any]:
        return [tf.stack([tf.reduce_min(value), tf.reduce_max(value)]) for value in watched]

    seen = np.array(list(observe_tensors(graph, names, tensors, extremes, progress=progress)))
    measured = {name: (float(seen[:, i, 0].min()), float(seen[:, i, 1].max())) for i, name in enumerate(names)}
    return measured | {name: (float(value.min()), float(value.max())) for name, value in tensors.items()}


def _grids(
    found: SharedRanges,
    measured: Mapping[str, tuple[float, float]],
    counts: Mapping[str, NDArray[np.int64]] | None = None,
    method: Clipping = "mse",
    *,
    bits: int = 8,
) -> dict[str, Grid]:
    """Tensor -> grid; the tensors of one group share a range: the one that holds them all, or, with `counts`, clips."""
    fitted = affine8 if bits == 8 else symmetric16
    grids: dict[str, Grid] = {name: _fixed(low, bits) for name, (low, _) in found.fixed.items()}
    for members in found.members().values():
        free = [name for name in members if name not in found.fixed and name in measured]
        if free:
            grids |= dict.fromkeys(free, fitted(*clipped_range(free, measured, counts or {}, method)))
    return grids


def _fixed(low: float, bits: int) -> Grid:
    if bits == 16:
        return Symmetric16(1 / 32768)
    return Affine8(1 / 256, 0) if low == 0 else Affine8(1 / 128, 128)


def _without(grids: Mapping[str, Grid], names: Collection[str]) -> dict[str, Grid]:
    return {name: grid for name, grid in grids.items() if name not in names}


def graph_inputs(graph: Graph, raws: NDArray[Any], signature: Signature) -> dict[str, NDArray[Any]]:
    """Input name of the graph -> tensors (n, ...) of raw samples (n, ...)."""
    made = family(signature.family).tensors(raws, signature)
    return {item.name: made[spec.name] for item, spec in zip(graph.inputs, signature.inputs, strict=True)}


def input_limits(graph: Graph, signature: Signature) -> dict[str, tuple[float, float] | None]:
    """Input name of the graph -> the lowest and highest value that may occur; None where that is not known."""
    return {item.name: spec.value_range for item, spec in zip(graph.inputs, signature.inputs, strict=True)}
