"""What every step that trains has in common: its settings, its samples, its teacher, its trainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from dltk.base.errors import InputError, StepOrderError, did_you_mean
from dltk.base.files import sha256
from dltk.compress.candidate import Candidate, Workbench
from dltk.data.dataset import Dataset, Split
from dltk.data.strata import stratified
from dltk.edge.families import family
from dltk.recipe.groups import Fit
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

if TYPE_CHECKING:
    from dltk.training import FitOptions

__all__ = [
    "Retrain",
    "as_fit",
    "validation_comparison",
    "require_float",
    "require_layers",
    "require_targets",
    "samples_of",
    "trainer_for",
    "skip_reason",
]


_RENEWALS = 20.0  # of batch norm statistics in a training, in time constants


@dataclass(frozen=True)
class Retrain:
    """Settings that all steps which train share."""

    epochs: int = setting(4, "passes over the training samples", low=1)
    learning_rate: float = setting(1e-3, "peak learning rate; warmed up for a tenth, then a cosine", low=0.0)
    batch_size: int = setting(64, "samples per step", low=1)
    samples: int = setting(0, "train on this many samples, stratified; 0: all", low=0)
    optimizer: Literal["sgd", "adam", "adamw", "adagrad", "rmsprop"] = setting("adam", "update rule")
    teacher: float = setting(
        0.9, "share of the loss that follows the source model's predictions; 0: none", low=0.0, high=1.0
    )
    temperature: float = setting(3.0, "softens the teacher's predictions", low=0.1)
    mixup: float = setting(0.0, "alpha of mixup in this step, for images; 0: as in the run's settings")


def require_targets(bench: Workbench, step: str) -> None:
    """Raise InputError if the task has nothing to train toward, or the model more outputs than one."""
    hint = "Leave the step out; quantize needs no training."
    if not family(bench.signature.family).metrics:
        rule = f"trains toward targets: {bench.signature.task} has none"
        raise InputError(f"--step {step}", rule, hint=hint)
    names = [spec.name for spec in bench.signature.outputs]
    if len(names) != 1:
        raise InputError(f"--step {step}", "trains toward one output", ", ".join(names), hint)


def require_float(candidate: Candidate, step: str, because: str) -> None:
    """Raise StepOrderError if `candidate` is quantized already."""
    if candidate.plan is not None:
        raise StepOrderError(f"--step {step}", f"must come before quantize: {because}")


def skip_reason(layer: Layer, step: str, *, keep: tuple[str, ...], smallest: int, own: str) -> str:
    """The reason why a step that changes single weights leaves a layer alone; empty where there is none.

    Args:
        keep, smallest: the step's settings of these names.
        own: the step's own reason, which comes before the size; empty where it has none.
    """
    rules = row(layer.kind, layer.config)
    if rules.kernel is None or not layer.weights:
        return "no kernel"
    if layer.name in keep:
        return f"kept by --step {step}:keep="
    if rules.depthwise:
        return "depthwise: few weights, and accuracy hangs on them"
    small = layer.weights[rules.kernel].size < smallest
    return own or (f"fewer than {smallest} weights" if small else "")


def require_layers(names: Iterable[str], graph: Graph, where: str) -> None:
    """Raise InputError, with `where` and a guess, if one of `names` is no layer of the graph."""
    for name in names:
        if name not in graph.layers:
            raise InputError(where, "names no layer", name, did_you_mean(name, graph.layers))


def samples_of(dataset: Dataset, count: int, seed: int) -> Dataset:
    """`dataset` with `count` of its training samples, stratified; all for 0."""
    train = dataset.train
    if not count or count >= len(train):
        return dataset
    chosen = stratified(train.targets, count=count, seed=seed)
    part = Split(train.store, train.rows[chosen], train.targets[chosen])
    return replace(dataset, train=part, digest=sha256(f"{dataset.digest} {count} {seed}".encode()))


def trainer_for(
    model: Any,
    settings: Retrain,
    bench: Workbench,
    *,
    name: str,
    options: FitOptions | None = None,
) -> Any:
    """A `FitTrainer` of `model` (Keras 3, or a tf_keras twin) that learns from labels and the source model's
    predictions.

    Args:
        name: of the phase: checkpoints and progress carry it.
        options: as FitTrainer takes them; views and teacher are set here, by `settings`.
    """
    from dltk.training import FitOptions, FitTrainer, cached_teacher

    dataset, teacher = samples_of(bench.dataset, settings.samples, bench.seed), None
    fit, augment = as_fit(settings), bench.augment
    if settings.mixup and augment is not None:
        augment = replace(augment, mixup=settings.mixup)
    _shorten_norm_memory(model, -(-len(dataset.train) // fit.batch_size) * fit.epochs)
    if settings.teacher:
        teacher = cached_teacher(
            bench.source,
            dataset,
            bench.signature,
            seed=bench.seed,
            augment=augment,
            temperature=settings.temperature,
            weight=settings.teacher,
            progress=bench.progress,
        )
    options = replace(options or FitOptions(), augment=augment, teacher=teacher)
    return FitTrainer(
        model, dataset, bench.signature, fit, options, seed=bench.seed, name=name, progress=bench.progress
    )


def _shorten_norm_memory(model: Any, steps: int) -> None:
    """Let the statistics of batch norms follow within the training.

    MobileNetV2's keep 0.999 of what they were a step: after 785 steps at half its multiplications they had hardly
    followed, and accuracy on the validation split was 0.74 where training saw 0.92.
    """
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = min(layer.momentum, max(0.5, 1 - _RENEWALS / max(steps, 1)))


def as_fit(settings: Retrain) -> Fit:
    """The training phase that the settings describe."""
    return Fit(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        warmup=settings.epochs / 10,
    )


_SAME = 1e-6  # relative: what sums in another order differ by
_METRIC, _LOSS = "validation_accuracy", "validation_loss"


def validation_comparison(
    trainer: Any, history: Sequence[Mapping[str, Any]], candidate: Candidate, settings: Retrain, bench: Workbench
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(figures, warnings): "kept", the epoch whose weights the step gives; "validation": metric, before, after, count.

    If the result is worse than `candidate` on the validation split, there is one warning. Without a validation split
    both are empty.

    Args:
        history: of the last phase that the step trained.
    """
    from dltk.training import best_checkpoint, validate_model

    kept, count = best_checkpoint(trainer, history, None), len(bench.dataset.validation)
    if kept is None or _LOSS not in kept:
        return {"kept": kept}, ()
    came = validate_model(candidate.model, bench.dataset, bench.signature, as_fit(settings), progress=bench.progress)
    metric = _METRIC if _METRIC in kept else _LOSS
    before, after = came[metric], float(kept[metric])
    found = {"metric": metric.removeprefix("validation_"), "before": before, "after": after, "count": count}
    lost = before - after if metric == _METRIC else after - before
    worse = lost > _SAME * max(abs(before), abs(after))
    return {"kept": kept, "validation": found}, (_worse_warning(trainer.name, found),) if worse else ()


def _worse_warning(name: str, found: Mapping[str, Any]) -> str:
    before, after, count = found["before"], found["after"], found["count"]
    where = f"on the {count} validation samples"
    if found["metric"] == "loss":
        return f"{name}: worse than before {where}: loss {before:.3g} before, {after:.3g} after"
    return f"{name}: worse than before {where}: accuracy {before:.3f} before, {after:.3f} after"
