"""Magnitude pruning while training, through the twin and tfmot. The only module that imports tfmot."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError, StepOrderError, did_you_mean
from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.edge.families import family
from dltk.edge.signature import Signature
from dltk.recipe.groups import Fit
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["Prune", "prune"]

# Of a digits CNN at 80% sparsity, 16 steps left 0.24 of 0.84 in accuracy, 80 steps 0.92 of 0.99.
_FEW_STEPS = 100


@dataclass(frozen=True)
class Prune:
    """Settings of the step."""

    sparsity: float = setting(0.5, "share of zeros in each pruned kernel at the end", low=0.0, high=0.99)
    epochs: int = setting(4, "passes over the training samples", low=1)
    learning_rate: float = setting(1e-3, "peak learning rate", low=0.0)
    batch_size: int = setting(64, "samples a step", low=1)
    end: float = setting(0.6, "share of the training after which the sparsity is reached", low=0.01, high=1.0)
    smallest: int = setting(1000, "leave kernels with fewer weights alone", low=0)
    keep: tuple[str, ...] = setting((), "names of layers to leave alone, split by ,")
    freeze_batch_norm: bool = setting(True, "keep batch-norm statistics and factors as they are")
    temperature: float = setting(2.0, "softens the teacher's answers", low=0.1)
    teacher: float = setting(
        0.5, "share of the loss that follows the source model's logits; 0: none", low=0.0, high=1.0
    )


def prune(candidate: Candidate, settings: Prune, bench: Workbench) -> Outcome:
    """Train `candidate` while its smallest weights go to zero, up to `settings.sparsity`.

    Zeros make the compressed file smaller. They make nothing faster: no runtime that dltk exports to skips them. The
    schedule is Zhu & Gupta 2017 (arXiv:1710.01878).

    Raises:
        StepOrderError: if `candidate` is already quantized.
        InputError: if the task has no targets to train toward, or `keep` names no layer.
        LimitError: if the loss becomes NaN.
    """
    if candidate.plan is not None:
        raise StepOrderError("--step prune", "must come before quantize: it changes weights")
    if not family(bench.signature.family).metrics:
        rule = f"trains toward targets: {bench.signature.task} has none"
        raise InputError("--step prune", rule, hint="Leave the step out; quantize needs no training.")
    from dltk.training import require_tensorflow, run
    from dltk.twin.build import build
    from dltk.twin.read import read

    require_tensorflow()
    graph = read(candidate.model)
    _require_layers(settings.keep, graph)
    skipped = {name: reason for name, layer in graph.layers.items() if (reason := _why_not(layer, settings))}
    listed = tuple(Skipped(name, reason) for name, reason in skipped.items())
    changed = tuple(name for name in graph.layers if name not in skipped)
    if not changed:
        return Outcome(candidate, (), listed, {}, ("no layer can be pruned: the model stays as it is",))
    plan, wrapped = _schedule(settings, bench), dict[str, Any]()
    twin = build(graph, wrap=_wrapper(graph, skipped, settings, plan, wrapped))
    trainer = _trainer(twin, wrapped, settings, bench, plan)
    history = run(trainer, checkpoint=bench.checkpoint, resume=bench.resume, progress=bench.progress)
    figures = {"epochs": history, "sparsity": _apply_masks(wrapped, changed)}
    return Outcome(Candidate(_carried(candidate.model, wrapped)), changed, listed, figures, _warnings(plan))


def _require_layers(names: tuple[str, ...], graph: Graph) -> None:
    for name in names:
        if name not in graph.layers:
            raise InputError("--step prune:keep=", "names no layer", name, did_you_mean(name, graph.layers))


@dataclass(frozen=True)
class _Schedule:
    """When masks are renewed, in steps counted from 1: every `frequency` steps, for the last time at `end`."""

    steps: int
    end: int
    frequency: int
    first_kept: int


def _schedule(settings: Prune, bench: Workbench) -> _Schedule:
    """tfmot renews masks at multiples of `frequency` only: the end must be one, or the sparsity is never reached."""
    an_epoch = -(-len(bench.dataset.train) // settings.batch_size)
    steps = an_epoch * settings.epochs
    frequency = max(1, steps // 100)
    end = max(frequency, int(steps * settings.end) // frequency * frequency)
    return _Schedule(steps, end, frequency, first_kept=(end - 1) // an_epoch)


def _warnings(plan: _Schedule) -> tuple[str, ...]:
    if plan.steps >= _FEW_STEPS:
        return ()
    return (f"{plan.steps} training steps are few to get over pruning: look at the metric, and give more epochs",)


def _why_not(layer: Layer, settings: Prune) -> str:
    """The reason to leave a layer alone; empty for one that is pruned."""
    rules = row(layer.kind, layer.config)
    if rules.kernel is None or not layer.weights:
        return "no kernel"
    if layer.name in settings.keep:
        return "kept by --step prune:keep="
    if rules.depthwise:
        return "depthwise: few weights, and accuracy hangs on them"
    if rules.native or layer.kind in ("Embedding", "EinsumDense", "SeparableConv1D", "SeparableConv2D"):
        return "tfmot cannot wrap it"
    if layer.weights[rules.kernel].size < settings.smallest:
        return f"fewer than {settings.smallest} weights"
    return ""


def _wrapper(
    graph: Graph, skipped: Mapping[str, str], settings: Prune, plan: _Schedule, wrapped: dict[str, Any]
) -> Callable[[str, Any], Any]:
    tfmot = _tfmot()
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=settings.sparsity,
        begin_step=0,
        end_step=plan.end,
        frequency=plan.frequency,
    )

    def wrap(name: str, layer: Any) -> Any:
        if graph.layers[name].kind == "BatchNormalization" and settings.freeze_batch_norm:
            layer.trainable = False
        if name not in skipped:
            layer = tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)
        wrapped[name] = layer
        return layer

    return wrap


def _tfmot() -> Any:
    """tfmot, without the environment variable that it sets for every later import and child process."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    import tensorflow_model_optimization as tfmot

    if before is None:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    else:
        os.environ["TF_USE_LEGACY_KERAS"] = before
    return tfmot


def _trainer(twin: Any, wrapped: Mapping[str, Any], settings: Prune, bench: Workbench, plan: _Schedule) -> Any:
    from dltk.training import FitTrainer, cached_teacher

    pruned = [layer for layer in wrapped.values() if hasattr(layer, "pruning_step")]

    def before_step(step: int) -> None:
        for layer in pruned:
            layer.pruning_step.assign(step + 1)

    fit = Fit(epochs=settings.epochs, learning_rate=settings.learning_rate, batch_size=settings.batch_size)
    teacher = None
    if settings.teacher and _gives_logits(bench.signature):
        teacher = cached_teacher(
            bench.source,
            bench.dataset,
            bench.signature,
            seed=bench.seed,
            augment=bench.augment,
            temperature=settings.temperature,
            weight=settings.teacher,
            progress=bench.progress,
        )
    return FitTrainer(
        twin,
        bench.dataset,
        bench.signature,
        fit,
        seed=bench.seed,
        name="prune",
        augment=bench.augment,
        teacher=teacher,
        before_step=before_step,
        first_kept=plan.first_kept,
        progress=bench.progress,
    )


def _gives_logits(signature: Signature) -> bool:
    """A teacher's answers are softened before its softmax: a model with the softmax inside cannot give them."""
    return any(op["op"] in ("softmax", "sigmoid") for op in signature.postprocess)


def _apply_masks(wrapped: Mapping[str, Any], changed: tuple[str, ...]) -> dict[str, float]:
    """Put the zeros of the masks into the kernels (the last step may have moved them); layer -> share of zeros."""
    reached = {}
    for name in changed:
        for weight, mask, _ in wrapped[name].pruning_vars:
            weight.assign(weight * mask)
            reached[name] = float(np.mean(weight.numpy() == 0))
    return reached


def _carried(model: Any, wrapped: Mapping[str, Any]) -> Any:
    """A copy of the Keras 3 model with the trained weights."""
    import keras

    from dltk.twin.build import carry_back
    from dltk.twin.read import sources

    copy = keras.models.clone_model(model)
    bare = {name: getattr(layer, "layer", layer) if hasattr(layer, "pruning_step") else layer
            for name, layer in wrapped.items()}  # fmt: skip
    copy.set_weights(model.get_weights())
    carry_back({name: layer for name, layer in bare.items() if hasattr(layer, "get_weights")}, sources(copy))
    return copy
