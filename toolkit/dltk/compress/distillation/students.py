"""Students by the text of `--step distil:student=TEXT`: how each is made, and whether it fits its teacher.

    first:LAYER[;size=N]             the teacher's own first layers up to LAYER, an average, and a new last layer
    width:SHARE                      the teacher with this share of its channels everywhere, its largest filters first
    recipe:NAME[;KEY=VALUE;...]      what a recipe builds for the run's inputs, one or several; a list is written
                                     16|32|64, since a comma ends a setting
    backbone:NAME[;KEY=VALUE;...]    a backbone with a new last layer; keys: alpha, weights, size
    PATH.keras                       a model of one's own

`size=N` (of a recipe, too) makes the student look at images of N x N pixels: the run's, averaged over whole squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dltk import tasks
from dltk.base.errors import InputError, did_you_mean
from dltk.compress.candidate import Workbench
from dltk.compress.distillation.adapters import (
    Scaling,
    output_activation,
    renumbered,
    scaling_between,
    scaling_of,
    truncated_after,
    with_head,
    with_input,
    with_inputs_in_order,
    with_output_activation,
)
from dltk.compress.pruning.dependencies import dependency_graph
from dltk.compress.pruning.importance import by_magnitude
from dltk.compress.pruning.surgery import remove_channels
from dltk.edge.bundle.signature import TensorSpec
from dltk.recipe import Built
from dltk.recipe.kept import TRUST
from dltk.recipe.load import is_path, load
from dltk.recipe.settings import assign, setting
from dltk.tasks.base import check_tensors
from dltk.twin.graph import Graph, GraphInput

__all__ = ["FORMS", "make_student"]

FORMS = "first:LAYER[;size=N], width:SHARE, recipe:NAME[;KEY=VALUE], backbone:NAME[;KEY=VALUE] or a .keras file"
_MULTIPLE = 8  # of channel counts, and the least: kernels compute as many at a time


@dataclass(frozen=True)
class _Backbone:
    """What may follow `backbone:NAME;`."""

    alpha: float = setting(1.0, "width multiplier, where the backbone has several", low=0.1, high=2.0)
    weights: str = setting("imagenet", "imagenet, none (random), or a file of weights")
    size: int = setting(0, "pixels each way that it sees; 0: the run's", low=0)


@dataclass(frozen=True)
class _First:
    """What may follow `first:LAYER;`."""

    size: int = setting(0, "pixels each way that it sees; 0: the run's", low=0)


@dataclass(frozen=True)
class _Width:
    """What follows `width:`."""

    width: float = setting(0.5, "share of the channels", low=0.01, high=0.99)


def make_student(text: str, teacher: Graph, bench: Workbench) -> Any:
    """The student that `text` names, a Keras 3 model with its first weights, made for the run's tensors.

    Args:
        teacher: graph of the model before the step.

    Raises:
        InputError: if there is no such student, or it does not fit its teacher.
        EnvironmentFault: if the weights of a backbone are unavailable.
    """
    where = f"--step distil:student={text}"
    kind, colon, rest = text.partition(":")
    if kind not in _KINDS or not colon:
        if not text.endswith((".keras", ".h5")):
            raise InputError(where, f"must be {FORMS}", hint=did_you_mean(kind, _KINDS) if colon else "")
        kind, rest = "file", text
    make = _own_file if kind == "file" else _KINDS[kind]
    try:
        graph = make(rest, teacher, bench)
        student = _rebuilt(graph)
        _require_fit(student, graph, teacher, bench)
    except InputError as fault:
        raise type(fault)(f"{where}: {fault.where}", fault.rule, fault.received, fault.hint) from fault
    return student


def _rebuilt(graph: Graph) -> Any:
    from dltk.twin.keras3 import rebuild

    try:
        return rebuild(graph)
    except ValueError as fault:  # a Dense layer behind a Flatten, for example, takes one size only
        hint = "Name an earlier layer, or leave size out."
        raise InputError("student", "must fit images of its size", str(fault).splitlines()[0], hint) from fault


def _first(text: str, teacher: Graph, bench: Workbench) -> Graph:
    layer, pairs = _parts(text)
    shrink, _ = _shrink(assign(_First(), pairs).size, bench)
    body = truncated_after(teacher, layer)
    if shrink > 1:
        body = _entered(body, teacher, bench, shrink, None)
    return with_head(body, bench.signature.outputs[0], activation=output_activation(teacher), seed=bench.seed)


def _width(share: str, teacher: Graph, bench: Workbench) -> Graph:
    """As MobileNets are made narrower (arXiv:1704.04861), but for the weights: they start from the teacher's."""
    width = assign(_Width(), [f"width={share}"]).width
    dependencies = dependency_graph(teacher)
    sizes, kept = by_magnitude(teacher, dependencies), np.ones(dependencies.count, bool)
    for group in dependencies.groups:
        stays = max(_MULTIPLE, round(width * len(group.channel_ids) / _MULTIPLE) * _MULTIPLE)
        if not group.fixed:
            kept[group.channel_ids[np.argsort(-sizes[group.channel_ids], kind="stable")[stays:]]] = False
    if kept.all():
        rule = f"no layer has channels to spare: none goes under {_MULTIPLE}"
        raise InputError(f"width {width}", rule, hint="Give another student.")
    return remove_channels(teacher, dependencies, kept)


def _recipe(text: str, teacher: Graph, bench: Workbench) -> Graph:
    from dltk.twin.read import read

    name, pairs = _parts(text)
    size = _size_of(pairs)
    if is_path(name) and bench.students is not None and f"recipe:{text}" not in bench.students:
        hint = f"Name the student with --step. {TRUST}"
        raise InputError(f"recipe {name}", "a recipe file that a run names is not executed", hint=hint)
    recipe = load(name)
    if recipe.task != bench.signature.task:
        raise InputError(f"recipe {recipe.name}", f"must be of the task {bench.signature.task}", recipe.task)
    given = [pair.replace("|", ",") for pair in pairs if not pair.startswith("size=")]
    settings = assign(recipe.settings, [f"seed={bench.seed}", *given])
    shrink, shape = _shrink(size, bench)
    (answer,) = bench.signature.outputs
    first, *others = bench.signature.inputs
    inputs = {first.name: shape} | {spec.name: spec.sample_shape for spec in others}
    asked = tasks.task(recipe.task).contract(settings, bench.dataset)
    built = recipe.build(settings, replace(asked, inputs=inputs, outputs={answer.name: answer.sample_shape}))
    if not isinstance(built, Built):
        raise InputError(f"recipe {recipe.name}", "`build` must return a Built", type(built).__name__)
    own = tasks.signature_of(tasks.task(recipe.task), settings, bench.dataset, built).preprocess
    graph = renumbered(read(built.model))
    if others:
        return with_output_activation(
            with_inputs_in_order(graph, teacher.inputs, bench.signature.preprocess, own), output_activation(teacher)
        )
    scaling = _scaling(bench.signature.preprocess, own, shape[-1])
    return with_output_activation(_entered(graph, teacher, bench, shrink, scaling), output_activation(teacher))


def _backbone(text: str, teacher: Graph, bench: Workbench) -> Graph:
    from dltk.models.backbones.build import build_backbone
    from dltk.twin.read import read

    name, pairs = _parts(text)
    if len(bench.signature.inputs) != 1:
        hint = "Give recipe:NAME of a recipe that builds for all of them, or a .keras file."
        raise InputError(f"backbone {name}", "sees one input", _names(bench.signature.inputs), hint)
    options = assign(_Backbone(), pairs)
    shrink, shape = _shrink(options.size, bench)
    if len(shape) != 3:
        raise InputError(f"backbone {name}", "needs a run of images", shape)
    built = build_backbone(
        name,
        input_shape=(shape[0], shape[1], shape[2]),
        weights=options.weights,
        alpha=options.alpha,
        seed=bench.seed,
        progress=bench.progress,
    )
    reverse = ({"op": "reverse_channels"},) if built.scale.reverse_channels else ()
    scale = {"op": "scale", "multiply": list(built.scale.multiply), "add": list(built.scale.add)}
    scaling = _scaling(bench.signature.preprocess, (*reverse, scale), 3)
    graph = _entered(renumbered(read(built.model)), teacher, bench, shrink, scaling)
    return with_head(graph, bench.signature.outputs[0], activation=output_activation(teacher), seed=bench.seed)


def _own_file(path: str, teacher: Graph, bench: Workbench) -> Graph:
    from dltk.twin.read import read

    graph = read(bench.open_model(Path(path)))
    if len(graph.inputs) == len(teacher.inputs) == 1 and graph.inputs[0].shape == teacher.inputs[0].shape:
        return with_input(graph, teacher.inputs[0])  # whatever its author called the input
    return graph


_KINDS: Mapping[str, Callable[[str, Graph, Workbench], Graph]] = {
    "first": _first,
    "width": _width,
    "recipe": _recipe,
    "backbone": _backbone,
}


def _parts(text: str) -> tuple[str, list[str]]:
    """`NAME;KEY=VALUE;...` as (NAME, [KEY=VALUE, ...])."""
    name, *pairs = (part.strip() for part in text.split(";"))
    return name, [pair for pair in pairs if pair]


def _size_of(pairs: list[str]) -> int:
    """The `size=N` among a recipe's settings."""
    return assign(_Backbone(), [pair for pair in pairs if pair.startswith("size=")]).size


def _shrink(size: int, bench: Workbench) -> tuple[int, tuple[int, ...]]:
    """(pixels each way that become one, the shape that the student sees).

    Raises:
        InputError: if that is no whole number: a weighted average would not be exact in int8.
    """
    shape = bench.signature.inputs[0].sample_shape
    if size and len(bench.signature.inputs) != 1:
        raise InputError(f"size={size}", "needs a run of one input", _names(bench.signature.inputs))
    if not size or size == shape[0] == shape[1]:
        return 1, shape
    if len(shape) != 3:
        raise InputError(f"size={size}", "needs a run of images", shape)
    if shape[0] != shape[1] or shape[0] % size:
        whole = [shape[0] // number for number in range(2, shape[0] // 8 + 1) if shape[0] % number == 0]
        hint = f"For example {', '.join(map(str, whole[:4]))}." if whole and shape[0] == shape[1] else ""
        raise InputError(f"size={size}", f"{shape[0]} pixels must be a whole multiple of it", hint=hint)
    return shape[0] // size, (size, size, shape[2])


def _scaling(run: Any, own: Any, channels: int) -> Scaling | None:
    return None if list(run) == list(own) else scaling_between(scaling_of(run, channels), scaling_of(own, channels))


def _entered(graph: Graph, teacher: Graph, bench: Workbench, shrink: int, scaling: Scaling | None) -> Graph:
    if len(graph.inputs) != 1 or len(teacher.inputs) != 1:
        raise InputError("student", "and teacher must have one input", f"{len(graph.inputs)}, {len(teacher.inputs)}")
    (given,) = teacher.inputs
    wanted = GraphInput(given.name, bench.signature.inputs[0].sample_shape, given.dtype)
    return with_input(graph, wanted, shrink=shrink, scaling=scaling)


def _require_fit(student: Any, graph: Graph, teacher: Graph, bench: Workbench) -> None:
    """Raise InputError if the student takes or gives other tensors than its teacher."""
    names = [[(item.name, item.dtype) for item in one.inputs] for one in (graph, teacher)]
    if names[0] != names[1]:
        raise InputError("inputs", f"must be the teacher's, {_listed(names[1])}", _listed(names[0]))
    check_tensors(student, bench.signature)
    endings = output_activation(graph), output_activation(teacher)
    if endings[0] != endings[1]:
        raise InputError("output", f"must be {endings[1]}, as the teacher's is", endings[0])


def _names(inputs: Sequence[TensorSpec]) -> str:
    return f"the inputs {', '.join(spec.name for spec in inputs)}"


def _listed(names: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in names)
