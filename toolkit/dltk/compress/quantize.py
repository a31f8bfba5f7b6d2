"""The step that fixes ranges. What it decides is kept as a plan and emitted by export; only `method=qat` trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from dltk.base.errors import InputError, StepOrderError
from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.compress.retrain import Retrain
from dltk.quantization.bias_correction import find_bias_correction
from dltk.quantization.calibration import calibrate, graph_inputs, input_limits
from dltk.quantization.codes import LEVELS
from dltk.quantization.plan import Precision, QuantizationPlan
from dltk.quantization.scheme import NARROW, Scheme, float_layers
from dltk.quantization.shared_ranges import native_loops
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph

__all__ = ["Quantize", "quantize"]

_CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose")


@dataclass(frozen=True)
class Quantize(Retrain):
    """Settings of the step; those of training count for `method=qat` only."""

    epochs: int = setting(3, "qat: passes over the training samples", low=1)
    learning_rate: float = setting(1e-4, "qat: peak learning rate; warmed up for a tenth, then a cosine", low=0.0)

    precision: Precision = setting(
        "int8", "of the weights; int8 also of activations, int16x8: int16 activations (TFLite only)"
    )
    method: Literal["calibrate", "qat"] = setting(
        "calibrate", "int8 ranges from calibration samples, or quantization-aware training"
    )
    ranges: Literal["best", "min-max", "mse", "percentile", "entropy"] = setting(
        "best", "min-max; mse, percentile, entropy: clip rare values; best: the best of them on held-out samples"
    )
    repair: bool = setting(True, "equalize channels and correct biases first, if that helps")
    calibration: int = setting(0, "training samples for calibration; 0: as in the run's settings", low=0, high=100_000)
    keep: tuple[str, ...] = setting((), "layers that stay float32 in both files, with their weights")
    reduce_range: bool = setting(False, "7-bit weights: for onnxruntime on x86 without VNNI, where 8 bits saturate")
    per_tensor_dense: bool = setting(False, "one scale for a whole Dense kernel: older TFLite runtimes need it")


def quantize(candidate: Candidate, settings: Quantize, bench: Workbench) -> Outcome:
    """Decide how `candidate` is quantized; int8 ranges are measured on the twin, once for both formats.

    The scheme is TFLite's (https://ai.google.dev/edge/litert/models/quantization_spec): symmetric int8 weights with a
    scale per channel, asymmetric 8-bit activations.

    Raises:
        StepOrderError: if `candidate` is already quantized.
        InputError: if settings do not fit each other or the model, or `method=qat` does not fit the task.
        LimitError: if the loss of `method=qat` becomes NaN.
    """
    if candidate.plan is not None:
        raise StepOrderError("--step quantize", "may be given once")
    from dltk.models.backend import require_tensorflow
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    require_tensorflow()
    _require_fits(settings)
    model = read(candidate.model)
    graph = deployed_graph(model)
    scheme = _scheme(settings, model, graph)
    if settings.method == "qat":
        return _trained(candidate, settings, bench, scheme)
    if settings.precision.startswith("int"):
        plan = _integer_plan(graph, settings, bench, scheme)
    else:
        plan = QuantizationPlan(settings.precision)
        plan = replace(plan, floats=bench.left_float(graph, bench.signature, plan))
    return _outcome(Candidate(candidate.model, plan), graph, settings, [])


def _require_fits(settings: Quantize) -> None:
    """Raise InputError if one setting asks for what another has no place for."""
    asked = {
        "keep": bool(settings.keep),
        "reduce_range": settings.reduce_range,
        "per_tensor_dense": settings.per_tensor_dense,
    }
    taken = {
        "int8": {"keep"} if settings.method == "qat" else set(asked),
        "int16x8": {"keep", "per_tensor_dense"},
    }.get(settings.precision, set())
    for key, is_asked in asked.items():
        if is_asked and key not in taken:
            received = f"precision={settings.precision},method={settings.method}"
            raise InputError(f"--step quantize:{key}", "does not go with the other settings", received)
    if settings.precision == "int16x8" and settings.ranges not in ("best", "min-max"):
        rule = "clips rare values, which 16 bits do not need"
        raise InputError(f"--step quantize:ranges={settings.ranges}", rule, "precision=int16x8", "Leave ranges out.")
    if settings.method == "qat" and settings.precision != "int8":
        rule = "method=qat trains for int8 grids"
        raise InputError("--step quantize", rule, f"precision={settings.precision}", "Leave method or precision out.")


def _scheme(settings: Quantize, model: Graph, graph: Graph) -> Scheme:
    """What the settings ask of the plan, by the layers of the deployed `graph`.

    Raises:
        InputError: if `keep` names a layer that cannot be kept.
    """
    loops = native_loops(graph)
    wide = settings.precision == "int16x8"
    if loops and (settings.keep or wide):
        where = "precision=int16x8" if wide else "keep"
        rule = "needs ranges that dltk can measure, and recurrent layers are calibrated by each runtime for itself"
        raise InputError(f"--step quantize:{where}", rule, ", ".join(loops))
    return Scheme(
        keep=float_layers(settings.keep, model, graph),
        levels=NARROW if settings.reduce_range else LEVELS,
        per_tensor_dense=settings.per_tensor_dense,
        bits=16 if wide else 8,
    )


def _trained(candidate: Candidate, settings: Quantize, bench: Workbench, scheme: Scheme) -> Outcome:
    from dltk.compress.qat.train import train_quantized

    made = train_quantized(
        candidate,
        settings,
        bench,
        ranges=settings.ranges,
        samples=settings.calibration,
        equalize=settings.repair,
        scheme=scheme,
    )
    found = _outcome(made.candidate, made.graph, settings, made.history)
    return replace(found, figures={**found.figures, **made.validation}, warnings=(*found.warnings, *made.worse))


def _outcome(candidate: Candidate, graph: Graph, settings: Quantize, history: list[Any]) -> Outcome:
    plan = candidate.plan or QuantizationPlan(settings.precision)
    changed = tuple(name for name, layer in graph.layers.items() if name not in plan.floats and layer.weights)
    skipped = [Skipped(name, reason) for name, reason in plan.floats.items()]
    skipped += [Skipped(name, "no weights") for name, layer in graph.layers.items()
                if not layer.weights and name not in plan.floats]  # fmt: skip
    figures = {
        "precision": plan.precision,
        "ranges": plan.ranges,
        "calibration": dict(plan.calibration),
        "weight_levels": plan.levels,
        "per_tensor_dense": plan.per_tensor_dense,
        "equalized": len(plan.factors),
        "bias_corrected": len(plan.shifts),
        "epochs": history,
    }
    return Outcome(candidate, changed, tuple(skipped), figures, _warnings(graph, settings, plan))


def _integer_plan(graph: Graph, settings: Quantize, bench: Workbench, scheme: Scheme) -> QuantizationPlan:
    """The plan unchanged, or with bias correction if that brings it nearer to float on held-out samples."""
    tensors = graph_inputs(graph, bench.calibration(settings.calibration), bench.signature)
    limits = input_limits(graph, bench.signature)
    asked: dict[str, Any] = {"limits": limits, "method": settings.ranges, "scheme": scheme, "progress": bench.progress}
    plan = calibrate(graph, tensors, **asked)
    if not settings.repair or plan.ranges == "native":
        return plan
    found = find_bias_correction(graph, tensors, scheme=scheme)
    mended = calibrate(found.graph, tensors, reference=graph, **asked)
    if _error(mended) >= _error(plan):
        return plan
    return replace(mended, factors=found.factors, shifts=found.shifts)


def _error(plan: QuantizationPlan) -> float:
    return float(plan.calibration["held_out_error"][plan.calibration["method"]])


def _warnings(graph: Graph, settings: Quantize, plan: QuantizationPlan) -> tuple[str, ...]:
    found = []
    if settings.precision == "dynamic" and any(layer.kind in _CONVOLUTIONS for layer in graph.layers.values()):
        found.append("dynamic range is slower than float32 on convolutions; int8 is the fast one")
    if plan.ranges == "native":
        loops = sorted(native_loops(graph))
        found.append(f"ranges: native, each format calibrates for itself, because of {', '.join(loops)}")
    return tuple(found)
