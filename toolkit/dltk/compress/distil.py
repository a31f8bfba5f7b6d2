"""Distillation: a smaller model learns from the run's model and the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dltk.base.errors import InputError, did_you_mean
from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.compress.distillation.students import FORMS, make_student
from dltk.compress.norms import freeze_norms, has_foreign_statistics
from dltk.compress.retrain import Retrain, require_float, require_targets, trainer_for, validation_comparison
from dltk.recipe.settings import setting
from dltk.twin.graph import Graph

__all__ = ["Distil", "distil"]

_TAKEN_OVER = ("first:", "width:")  # students that start from the model's own weights


@dataclass(frozen=True)
class Distil(Retrain):
    """Settings of the step."""

    epochs: int = setting(10, "passes over the training samples", low=1)
    teacher: float = setting(
        0.9, "share of the loss that follows the source model's predictions; 0: none", low=0.0, high=1.0
    )
    temperature: float = setting(4.0, "softens both models' outputs", low=0.1)
    student: str = setting("", f"the student: {FORMS}")
    features: tuple[str, ...] = setting((), "TEACHER_LAYER:STUDENT_LAYER pairs whose features should match, split by ,")
    feature_weight: float = setting(1.0, "weight of the features in the loss", low=0.0)


def distil(candidate: Candidate, settings: Distil, bench: Workbench) -> Outcome:
    """Train a student on labels and on the softened outputs of the source model; it replaces the model.

    Hinton et al. 2015 (arXiv:1503.02531); with `features` also Romero et al. 2014 (arXiv:1412.6550). The student takes
    the same tensors and gives outputs of the same form, so that nothing around the model changes.

    Raises:
        StepOrderError: if `candidate` is already quantized.
        InputError: before any training, if the student does not fit, or the task has no targets to train toward.
        LimitError: if the loss becomes NaN.
    """
    require_float(candidate, "distil", "it makes another model")
    require_targets(bench, "distil")
    if not settings.student:
        raise InputError("--step distil", "needs a student", hint=f"Give student=TEXT: {FORMS}.")
    from dltk.models.backend import require_tensorflow
    from dltk.training import FitOptions, run
    from dltk.twin.read import read

    require_tensorflow()
    teacher = read(candidate.model)
    student = make_student(settings.student, teacher, bench)
    for trainable in (False, True):  # Keras sets the layers inside only where the model's own value changes
        student.trainable = trainable  # what somebody froze was frozen for another training
    same_pictures = "size=" not in settings.student  # smaller ones have other statistics, which must be learnt
    if settings.student.startswith(_TAKEN_OVER) and same_pictures and has_foreign_statistics(candidate.model, bench):
        freeze_norms(student)
    options = FitOptions(hints=_hints(student, bench.source, settings, bench))
    trainer = trainer_for(student, settings, bench, name="distil", options=options)
    history = run(trainer, checkpoint=bench.checkpoint, resume=bench.resume, progress=bench.progress)
    found = _outcome(student, read(student), teacher, settings, history)
    validation, worse = validation_comparison(trainer, history, candidate, settings, bench)
    return replace(found, figures={**found.figures, **validation}, warnings=(*found.warnings, *worse))


def _hints(student: Any, source: Any, settings: Distil, bench: Workbench) -> Any:
    """What features are to follow, or None.

    Raises:
        InputError: if a pair names no layer, or one that is used twice; or if shapes do not fit.
    """
    if not settings.features:
        return None
    from dltk.training.hints import Hints
    from dltk.twin.keras3 import rebuild
    from dltk.twin.read import read

    where = "--step distil:features="
    graphs = {"teacher": read(source), "student": read(student)}
    pairs = [pair.partition(":") for pair in settings.features]
    for their, colon, our in pairs:
        if not colon:
            raise InputError(where, "must be TEACHER_LAYER:STUDENT_LAYER", their)
        _require_layer(f"{where}: teacher", their, graphs["teacher"])
        _require_layer(f"{where}: student", our, graphs["student"])
    theirs, ours = [their for their, _, _ in pairs], [our for _, _, our in pairs]
    teacher = rebuild(graphs["teacher"])  # flat: layers inside nested models can be named, too
    return Hints(teacher, student, theirs, ours, weight=settings.feature_weight, seed=bench.seed)


def _require_layer(where: str, name: str, graph: Graph) -> None:
    if name not in graph.layers:
        raise InputError(where, "names no layer", name, did_you_mean(name, graph.layers))
    calls = [call for call in graph.calls if call.layer == name]
    if len(calls) > 1 or len(calls[0].outputs) > 1:
        raise InputError(where, "must have one output and be used once", name)


def _outcome(
    student: Any, graph: Graph, teacher: Graph, settings: Distil, history: Sequence[Mapping[str, Any]]
) -> Outcome:
    before, after = teacher.weight_count(), graph.weight_count()
    figures = {
        "epochs": history,
        "student": settings.student,
        "weights_before": before,
        "weights_after": after,
        "weights_after_over_before": after / before,
    }
    warnings: tuple[str, ...] = ()
    if after >= before:
        warnings = (f"the student has {after:,} weights, its teacher {before:,}: it is no smaller",)
    changed = tuple(name for name, layer in graph.layers.items() if layer.weights)
    skipped = tuple(Skipped(name, "no weights") for name, layer in graph.layers.items() if not layer.weights)
    return Outcome(Candidate(student), changed, skipped, figures, warnings)
