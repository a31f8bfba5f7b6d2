"""The step that fixes ranges. It changes no weight: what it decides is kept as a plan and emitted by export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from dltk.base.errors import StepOrderError
from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.compress.plan import QuantizationPlan
from dltk.compress.ranges import calibrate
from dltk.compress.repair import find_repair
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["Quantize", "quantize"]

_CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose")


@dataclass(frozen=True)
class Quantize:
    """Settings of the step."""

    precision: Literal["int8", "float16", "dynamic"] = setting("int8", "of the weights; int8 also of activations")
    method: Literal["calibrate"] = setting("calibrate", "where int8 ranges come from")
    ranges: Literal["best", "min-max", "mse"] = setting("best", "min-max, mse (clips what is rare), or the better one")
    repair: bool = setting(True, "equalize channels and correct biases first, where that helps")
    samples: int = setting(0, "training samples that set the ranges; 0: as the run's settings say", low=0, high=100_000)


def quantize(candidate: Candidate, settings: Quantize, bench: Workbench) -> Outcome:
    """Decide how `candidate` is quantized; int8 ranges are measured on the twin, once for both formats.

    The scheme is TFLite's (https://ai.google.dev/edge/litert/models/quantization_spec): symmetric int8 weights with a
    scale a channel, asymmetric 8-bit activations.

    Raises:
        StepOrderError: if `candidate` is already quantized.
    """
    if candidate.plan is not None:
        raise StepOrderError("--step quantize", "may stand once")
    from dltk.training import require_tensorflow
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    require_tensorflow()
    graph = deployed(read(candidate.model))
    int8 = settings.precision == "int8"
    plan = _int8_plan(graph, settings, bench) if int8 else QuantizationPlan(settings.precision)
    changed = tuple(name for name, layer in graph.layers.items() if name not in plan.floats and layer.weights)
    skipped = [Skipped(name, reason) for name, reason in plan.floats.items()]
    skipped += [Skipped(name, "no weights") for name, layer in graph.layers.items()
                if not layer.weights and name not in plan.floats]  # fmt: skip
    figures = {
        "precision": plan.precision,
        "ranges": plan.ranges,
        "calibration": dict(plan.calibration),
        "equalized": len(plan.factors),
        "bias_corrected": len(plan.shifts),
    }
    return Outcome(Candidate(candidate.model, plan), changed, tuple(skipped), figures, _warnings(graph, settings, plan))


def _int8_plan(graph: Graph, settings: Quantize, bench: Workbench) -> QuantizationPlan:
    """The plan as it is, or behind a repair where that brings int8 nearer to float on samples held out."""
    tensors, limits = _tensors(settings, bench, graph), _limits(bench, graph)
    plan = calibrate(graph, tensors, limits=limits, method=settings.ranges, progress=bench.progress)
    if not settings.repair or plan.ranges == "native":
        return plan
    found = find_repair(graph, tensors)
    mended = calibrate(
        found.graph, tensors, limits=limits, method=settings.ranges, reference=graph, progress=bench.progress
    )
    if _error(mended) >= _error(plan):
        return plan
    return replace(mended, factors=found.factors, shifts=found.shifts)


def _error(plan: QuantizationPlan) -> float:
    return float(plan.calibration["held_out_error"][plan.calibration["method"]])


def _tensors(settings: Quantize, bench: Workbench, graph: Graph) -> dict[str, Any]:
    """Calibration samples as the graph's inputs, by the graph's own names."""
    from dltk.edge.families import family

    raws = bench.calibration(settings.samples)
    made = family(bench.signature.family).tensors(raws, bench.signature)
    return {item.name: made[spec.name] for item, spec in zip(graph.inputs, bench.signature.inputs, strict=True)}


def _limits(bench: Workbench, graph: Graph) -> dict[str, tuple[float, float] | None]:
    return {item.name: spec.value_range for item, spec in zip(graph.inputs, bench.signature.inputs, strict=True)}


def _warnings(graph: Graph, settings: Quantize, plan: QuantizationPlan) -> tuple[str, ...]:
    found = []
    if settings.precision == "dynamic" and any(layer.kind in _CONVOLUTIONS for layer in graph.layers.values()):
        found.append("dynamic range is slower than float32 on convolutions; int8 is the fast one")
    if plan.ranges == "native":
        loops = sorted(name for name, layer in graph.layers.items() if row(layer.kind, layer.config).native)
        found.append(f"ranges: native, each format calibrates for itself, because of {', '.join(loops)}")
    return tuple(found)
