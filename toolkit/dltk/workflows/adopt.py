"""Make a Run from an existing model."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import building_folder, read_capped, sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, require_test_samples
from dltk.data.strata import stratified
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.input.preprocess import READING_OPS
from dltk.models.conventions import Input, guess_convention, is_near_chance, required_margin
from dltk.models.files.extent import batch_within
from dltk.models.files.keras_file import open_keras, read_model
from dltk.recipe import Built
from dltk.recipe.groups import Augmentation
from dltk.recipe.load import read, resolve
from dltk.recipe.near import settings_hint
from dltk.recipe.settings import apply, as_dict, assign
from dltk.run import Run
from dltk.workflows.brought import as_deployable, first_line, require_same
from dltk.workflows.finish import finish_run
from dltk.workflows.preflight import input_and_output_shape, require_place, require_training_packages

__all__ = ["adopt", "is_adoptable"]

_SAMPLES = 256  # that are scored under other conventions
_BATCH = 32
_COMPARED = 8  # samples on which the model must agree with itself as it was saved, and alone
_SAME = 0.1  # of the largest output: bfloat16 loses less, and an overflow of whole numbers is far more
_ALONE = 1e-3  # of the largest output: sums over a batch of other sizes round otherwise
_SHOWN = 6  # labels that a message names
_GROUP = "input."
_ANOTHER = "Give another --run."


def adopt(
    model: str | Path,
    *,
    recipe: str | Path,
    data: str | Path | None = None,
    run: str | Path | None = None,
    set: Iterable[str] = (),
    progress: Progress = SILENT,
) -> Run:
    """Make a Run from the Keras 3 model in the file `model`; compress and export use it like any other.

    Args:
        recipe: its task is the model's, and its settings define how the data is read.
        data, run, set: as in `finetune`; `set` takes the keys of `input`, too. The recipe's augmentation counts only
            where `set` asks for it.

    Raises:
        InputError: if the model is no file of plain Keras layers, does not fit the data, is no better than chance, or
            does much better with another input range, channel order or label order.
        EnvironmentFault: if TensorFlow is unavailable.
    """
    loaded = read(recipe)
    task = tasks.task(loaded.recipe.task)
    if not is_adoptable(task.name):
        raise InputError(f"--recipe {loaded.recipe.name}", "adopt takes image classifiers", f"task {task.name}")
    pairs, given = _split(set)
    settings = resolve(replace(loaded.recipe, settings=_without_augmentation(loaded.recipe.settings)), pairs)
    path = Path(run or Path("runs", Path(model).stem))
    source = str(data) if data is not None else loaded.recipe.data.default
    shape, outputs = input_and_output_shape(
        read_model(Path(model))[1]
    )  # first: a run in place of a model is no run in the way
    Run.require_free(path, hint=_ANOTHER)
    require_place(path, 2 * os.path.getsize(model))
    require_training_packages()
    if shape is not None and len(shape) == 4:
        settings = _sized(settings, shape, pairs, "input")
    dataset = task.prepare(settings, source, progress=progress)  # before TensorFlow is loaded, which takes its time
    require_test_samples(dataset)
    _require_classes(outputs, dataset)
    opened = open_keras(Path(model))
    if len(opened.inputs) != 1:
        names = ", ".join(each.name for each in opened.inputs)
        raise InputError("model: inputs", "must be one, a batch of RGB images", f"{len(opened.inputs)}: {names}")
    shape = tuple(opened.inputs[0].shape)
    sized = _sized(settings, shape, pairs, repr(opened.inputs[0].name))
    if sized != settings:
        settings, dataset = sized, task.prepare(sized, source, progress=progress)
    opened, signature = _taken_in(opened, given, task, settings, dataset, progress)
    with building_folder(Path(os.path.abspath(path)), replace=False) as folder:  # no --resume: whole or nothing
        made = Run(folder)
        made.write_json("data", {"source": dataset.source, "digest": dataset.digest, "report": dict(dataset.report)})
        notes = {"adopted": Path(model).name, "sha256": sha256(read_capped(Path(model)))} | as_dict(given)
        made.write_json("notes", notes)
        made.write_recipe(loaded, settings, smoke=False)
        finish_run(made, task, opened, dataset, signature, settings, progress=progress)
    return Run(path)


def _taken_in(
    theirs: Any, given: Input, task: tasks.Task, settings: Any, dataset: Dataset, progress: Progress
) -> tuple[Any, Signature]:
    """The model as it is deployed, and its signature.

    Raises:
        InputError: if it cannot be, computes something else then, or does badly on the data as they are read.
    """
    ours = as_deployable(theirs, given, progress)
    signature = tasks.signature_of(task, settings, dataset, Built(ours, (), given.ops()))
    task.check(ours, signature)
    signature = _with_postprocess(ours, dataset, signature, progress)
    _require_like(theirs, ours, dataset, signature)
    if given.check and not settings.data.multi_label:
        _require_usual_reading(ours, dataset, signature, given, progress, seed=settings.seed)
    return ours, signature


def is_adoptable(task: str) -> bool:
    """Whether an existing model can be adopted for the task called `task`."""
    return tasks.task(task).family == "classification"


def _split(pairs: Iterable[str]) -> tuple[list[str], Input]:
    """The pairs for the recipe, and those of the model's input."""
    ours: list[str] = []
    theirs: list[str] = []
    for pair in pairs:
        (ours if pair.strip().startswith(_GROUP) else theirs).append(pair.strip())
    names = [item.name for item in fields(Input)]
    for pair in ours:
        key = pair.removeprefix(_GROUP).partition("=")[0].strip()
        if key not in names:
            hint = settings_hint(f"{_GROUP}{key}", (f"{_GROUP}{name}" for name in names))
            raise InputError(f"setting {_GROUP}{key}", "is not known", hint=hint)
    try:
        return theirs, assign(Input(), [pair.removeprefix(_GROUP) for pair in ours])
    except InputError as fault:  # named as the user wrote it
        where = fault.where.replace("setting ", f"setting {_GROUP}", 1).replace("--set ", f"--set {_GROUP}", 1)
        raise InputError(where, fault.rule, fault.received, fault.hint) from fault


def _without_augmentation(settings: Any) -> Any:
    """`settings` without augmentation, unless the user asks for it.

    What a recipe does to images was chosen for its own data: mirrored, a digit is no digit.
    """
    augment = getattr(settings, "augment", None)
    if not isinstance(augment, Augmentation):
        return settings
    return replace(settings, augment=type(augment)(views=augment.views))


def _require_classes(outputs: int | None, dataset: Dataset) -> None:
    """Raise InputError if the configuration has another number of outputs than there are labels."""
    if outputs is not None and outputs != len(dataset.labels):
        labels = ", ".join(dataset.labels[:_SHOWN]) + (" ..." if len(dataset.labels) > _SHOWN else "")
        rule = f"must have the shape (batch, {len(dataset.labels)}), one output per class: {labels}"
        raise InputError("model: output", rule, (None, outputs), "Is it the model for this data?")


def _sized(settings: Any, shape: tuple[int | None, ...], pairs: list[str], name: str) -> Any:
    """`settings` with the size of the model's input, of `shape` with its batch.

    Raises:
        InputError: if it takes no square RGB images, or another size than `--set data.size`.
    """
    where = f"model: input {name}" if name != "input" else "model: input"
    if len(shape) != 4 or shape[3] != 3:
        raise InputError(where, "must be one batch of RGB images (batch, height, width, 3)", shape)
    if None in shape[1:3]:
        return settings  # the model takes any size: the recipe's
    if shape[1] != shape[2]:
        raise InputError(where, "must be square", shape)
    if any(pair.replace(" ", "").startswith("data.size=") for pair in pairs) and settings.data.size not in (
        0,
        shape[1],
    ):
        raise InputError("setting data.size", f"must be {shape[1]}, the size of the model's input", settings.data.size)
    return apply(settings, {"data.size": shape[1]})


def _require_like(theirs: Any, ours: Any, dataset: Dataset, signature: Signature) -> None:
    """Raise InputError unless `ours` computes what `theirs` does, and for one image the same as among others."""
    raws = _some(dataset, seed=0)[0][:_COMPARED]
    found = _outputs(ours, raws, signature)
    if theirs is not ours:
        rule = "must compute the same in float32 as it was saved"
        hint = "Rescale the pixels to floats first: arithmetic on whole numbers is not exported."
        require_same(_outputs(theirs, raws, signature), found, "model: outputs", rule, hint, limit=_SAME)
    alone = np.concatenate([_outputs(ours, raws[i : i + 1], signature) for i in range(min(2, len(raws)))])
    rule = "must be the same for one image as for the same among others"
    hint = "A file reads one image at a time: leave axis 0, the batch, out of what the layers work on."
    require_same(found[: len(alone)], alone, "model: outputs", rule, hint, limit=_ALONE)


def _with_postprocess(model: Any, dataset: Dataset, signature: Signature, progress: Progress) -> Signature:
    """The signature with what really follows the model: nothing, where softmax or sigmoid are inside."""
    raws, _ = _some(dataset, seed=0)
    found = _outputs(model, raws, signature)
    if not np.isfinite(found).all():
        raise InputError("model: outputs", "must be finite numbers", "NaN or infinity on samples of the data")
    within = bool((found >= 0).all() and (found <= 1).all())
    (last,) = signature.postprocess
    if last["op"] == "softmax" and within and np.allclose(found.sum(axis=-1), 1.0, atol=1e-3):
        progress.log("softmax is inside the model")
        return replace(signature.with_postprocess({"op": "identity"}), outputs=_renamed(signature, "probabilities"))
    if last["op"] == "sigmoid" and within:
        progress.log("sigmoid is inside the model")
        inside = {"op": "identity", "threshold": last["threshold"]}
        return replace(signature.with_postprocess(inside), outputs=_renamed(signature, "probabilities"))
    progress.log("the model gives logits")
    return signature


def _renamed(signature: Signature, name: str) -> Any:
    return tuple(replace(spec, name=name, value_range=(0.0, 1.0)) for spec in signature.outputs)


def _require_usual_reading(
    model: Any, dataset: Dataset, signature: Signature, given: Input, progress: Progress, *, seed: int
) -> None:
    """Raise InputError with the way to read the data under which the model does well, if it does badly as it is.

    A wrong range seldom takes a model all the way down to guessing: it is compared with the other readings, too.
    """
    raws, targets = _some(dataset, seed=seed)
    decode = tuple(op for op in signature.preprocess if op["op"] in READING_OPS)

    def predict(wanted: Input) -> NDArray[Any]:
        return _outputs(model, raws, replace(signature, preprocess=(*decode, *wanted.ops())))

    accuracy = float((predict(given).argmax(axis=-1) == targets).mean())
    classes = len(signature.labels)
    near_chance = is_near_chance(accuracy, classes, len(targets))
    if not near_chance and accuracy + required_margin(accuracy, len(targets)) > 1:
        return  # no other reading can do that much better
    where, received = "model", f"accuracy {accuracy:.3f} on {len(targets)} samples"
    progress.log(f"{received}; trying other ranges, channel orders and label orders")
    best = guess_convention(predict, targets, signature.labels, given)
    anyway = "--set input.check=false adopts it anyway."
    rule = f"must do clearly better than guessing one of {classes} classes"
    if best.pairs and best.accuracy >= accuracy + required_margin(accuracy, len(targets)):
        change = " ".join(f"--set {pair}" for pair in best.pairs)
        rule = rule if near_chance else "must get pixels and labels as in its training"
        hint = f"Did you mean {change}? That gives {best.accuracy:.3f}. {anyway}"
        raise InputError(where, rule, received, hint)
    if near_chance:
        hint = (
            f"No usual input range, channel order or label order gives more than {best.accuracy:.3f}: is it the model "
            f"for this data? {_any_size(model, signature)}{anyway}"
        )
        raise InputError(where, rule, received, hint)


def _any_size(model: Any, signature: Signature) -> str:
    """What to try where the model takes images of any size: a network does badly at another than it was trained on."""
    if None not in model.inputs[0].shape[1:3]:
        return ""
    side = signature.inputs[0].shape[1]
    return f"It takes any size, and got {side} x {side}: set the size of its training with --set data.size=SIZE. "


def _some(dataset: Dataset, *, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Up to 256 samples: of validation, where there are enough, so that the test split stays unseen."""
    split = dataset.validation if len(dataset.validation) >= _SAMPLES else dataset.test
    positions = stratified(split.targets, count=_SAMPLES, seed=seed, mixed=True)
    return split.take(positions), split.targets[positions]


def _outputs(model: Any, raws: NDArray[Any], signature: Signature) -> NDArray[np.float32]:
    (tensor,) = family(signature.family).tensors(raws, signature).values()
    size = batch_within(model, _BATCH)
    batches = (tensor[start : start + size] for start in range(0, len(tensor), size))
    try:
        return np.concatenate([np.asarray(model(batch, training=False), np.float32) for batch in batches])
    except Exception as fault:  # Keras builds layers that cannot be called: `Activation("glu")` on three channels
        hint = "Call it on a batch of images in Keras first."
        raise InputError("model", "must run on images of the data", first_line(fault), hint) from fault
