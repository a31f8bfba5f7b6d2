"""Magnitude pruning while training, on the twin, by tfmot's schedule: see `dltk.compress.pruning.schedule`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.compress.pruning.masks import Pattern, magnitude_masks
from dltk.compress.pruning.schedule import Timing, shares
from dltk.compress.retrain import (
    Retrain,
    require_float,
    require_layers,
    require_targets,
    samples_of,
    skip_reason,
    trainer_for,
    validation_comparison,
)
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["NOT_PLAIN", "Prune", "prune"]

# Of a digits CNN at 80% sparsity, 16 steps left 0.24 of 0.84 in accuracy, 80 steps 0.92 of 0.99.
_FEW_STEPS = 100
NOT_PLAIN = frozenset({"Embedding", "EinsumDense", "SeparableConv1D", "SeparableConv2D"})  # layers with other kernels


@dataclass(frozen=True)
class Prune(Retrain):
    """Settings of the step."""

    sparsity: float = setting(0.5, "share of zeros in each pruned kernel at the end", low=0.0, high=0.99)
    end: float = setting(0.6, "share of the training after which the sparsity is reached", low=0.01, high=1.0)
    smallest: int = setting(1000, "skip kernels with fewer weights", low=0)
    keep: tuple[str, ...] = setting((), "names of layers to skip, split by ,")
    scope: Literal["layer", "global"] = setting("layer", "same share of each kernel, or one ranking over all (LAMP)")
    pattern: str = setting("free", "free; N:M such as 2:4: N of every M inputs stay; xB such as x4: blocks of B inputs")
    batch_norm: Literal["auto", "freeze", "train"] = setting(
        "auto",
        "batch norm: keep statistics and factors, or train them; auto: train if they come from this data "
        "and the steps suffice",
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
    require_float(candidate, "prune", "it changes weights")
    require_targets(bench, "prune")
    from dltk.models.backend import require_tensorflow
    from dltk.training import run
    from dltk.twin.build import build
    from dltk.twin.read import read

    pattern = Pattern.parse(settings.pattern, "--step prune:pattern=")
    require_tensorflow()
    graph = read(candidate.model)
    require_layers(settings.keep, graph, "--step prune:keep=")
    skipped = {
        name: reason for name, layer in graph.layers.items() if (reason := _skip_reason(layer, settings, pattern))
    }
    listed = tuple(Skipped(name, reason) for name, reason in skipped.items())
    changed = tuple(name for name in graph.layers if name not in skipped)
    if not changed:
        return Outcome(candidate, (), listed, {}, ("no layer can be pruned: the model is unchanged",))
    plan, wrapped = _timing(settings, bench), dict[str, Any]()
    freezes = _keeps_batch_norm_frozen(candidate.model, settings, plan, bench)
    twin = build(graph, wrap=_wrapper(graph, changed, freezes, wrapped))
    masked = {name: wrapped[name] for name in changed}
    trainer = _trainer(twin, masked, settings, bench, plan, pattern)
    history = run(trainer, checkpoint=bench.checkpoint, resume=bench.resume, progress=bench.progress)
    model = _with_trained_weights(candidate.model, wrapped)
    reached = {name: float((layer.values() == 0).mean()) for name, layer in masked.items()}
    validation, worse = validation_comparison(trainer, history, candidate, settings, bench)
    figures = {"epochs": history, "sparsity": reached, **validation}
    return Outcome(Candidate(model), changed, listed, figures, (*_warnings(plan), *worse))


def _timing(settings: Prune, bench: Workbench) -> Timing:
    count = len(samples_of(bench.dataset, settings.samples, bench.seed).train)
    return Timing.of(count, settings.batch_size, settings.epochs, settings.end)


def _warnings(plan: Timing) -> tuple[str, ...]:
    if plan.steps >= _FEW_STEPS:
        return ()
    return (f"{plan.steps} training steps are few to recover from pruning: check the metric, and use more epochs",)


def _skip_reason(layer: Layer, settings: Prune, pattern: Pattern) -> str:
    """The reason to leave a layer alone; empty for one that is pruned."""
    rules = row(layer.kind, layer.config)
    plain = not (rules.native or rules.crashes or layer.kind in NOT_PLAIN)
    own = "" if plain else "only plain kernels are pruned"
    reason = skip_reason(layer, "prune", keep=settings.keep, smallest=settings.smallest, own=own)
    if not reason and layer.weights[rules.kernel or 0].shape[-2] % pattern.group:
        return f"its inputs are no multiple of {pattern.group}"
    return reason


def _wrapper(
    graph: Graph, changed: tuple[str, ...], freezes: bool, wrapped: dict[str, Any]
) -> Callable[[str, Any], Any]:
    from dltk.compress.pruning.masked_layer import Masked

    def wrap(name: str, layer: Any) -> Any:
        if graph.layers[name].kind == "BatchNormalization" and freezes:
            layer.trainable = False
        wrapped[name] = Masked(layer) if name in changed else layer
        return wrapped[name]

    return wrap


def _keeps_batch_norm_frozen(model: Any, settings: Prune, plan: Timing, bench: Workbench) -> bool:
    """Whether batch norms are frozen: if the steps are too few to re-estimate them, or they have other data's
    statistics.
    """
    if settings.batch_norm != "auto":
        return settings.batch_norm == "freeze"
    if plan.steps < _FEW_STEPS:
        return True
    from dltk.compress.norms import has_foreign_statistics

    return has_foreign_statistics(model, bench)


def _trainer(
    twin: Any, masked: Mapping[str, Any], settings: Prune, bench: Workbench, plan: Timing, pattern: Pattern
) -> Any:
    from dltk.training import FitOptions

    share_at = shares(plan, settings.sparsity if not pattern.of else 1 - pattern.kept / pattern.of)

    def before_step(step: int) -> None:
        if (share := share_at(step + 1)) is not None:
            kernels = {name: layer.values() for name, layer in masked.items()}
            masks = magnitude_masks(kernels, share, scope=settings.scope, pattern=pattern)
            for name, layer in masked.items():
                layer.mask.assign(masks[name])

    # What comes in is not sparse: it is nothing that the step could give.
    options = FitOptions(before_step=before_step, first_kept=plan.first_kept, start_counts=False)
    return trainer_for(twin, settings, bench, name="prune", options=options)


def _with_trained_weights(model: Any, wrapped: Mapping[str, Any]) -> Any:
    """A copy of the Keras 3 model with the trained weights, zeros in place."""
    from dltk.compress.pruning.masked_layer import Masked
    from dltk.twin.build import carry_back
    from dltk.twin.keras3 import copied
    from dltk.twin.read import sources

    copy = copied(model)
    for layer in wrapped.values():
        if isinstance(layer, Masked):
            layer.apply()
    bare = {name: layer.layer if isinstance(layer, Masked) else layer for name, layer in wrapped.items()}
    carry_back({name: layer for name, layer in bare.items() if hasattr(layer, "get_weights")}, sources(copy))
    return copy
