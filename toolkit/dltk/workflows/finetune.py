"""Train the model of a recipe: everything is checked first, then phase after phase, then the figures."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from dltk import tasks, training
from dltk.base.cache.entries import using
from dltk.base.errors import EnvironmentFault, InputError, shorten
from dltk.base.files import read_capped, sha256, sweep_tree
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, require_test_samples
from dltk.edge.bundle.signature import Signature
from dltk.recipe import Built
from dltk.recipe.load import Loaded, read, resolve
from dltk.recipe.settings import apply, as_dict, describe, from_dict
from dltk.run import Run
from dltk.tasks import Task
from dltk.workflows.finish import TrainingLog, finish_run
from dltk.workflows.preflight import default_source, require_place, require_training_packages

__all__ = ["finetune", "run_folder"]

_DIFF_LINES = 3  # of a changed recipe, in a message

_RANDOM = {"model.weights": "none", "data.tokenizer": "train"}  # what needs no download
_MOST_COMPILED = 400  # layers that a smoke run still compiles


def finetune(
    recipe: str | Path,
    *,
    data: str | Path | None = None,
    run: str | Path | None = None,
    set: Iterable[str] = (),
    smoke: bool = False,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Run:
    """Train the model of `recipe` on `data`; returns the finished Run.

    Args:
        recipe: registered name, or path of a recipe file.
        data: path or name; when left out, the recipe's own default, or with `smoke` its example, which is written
            beside the run.
        run: folder to make; `runs/RECIPE` when left out.
        set: `KEY=VALUE` texts, put into the recipe's settings.
        smoke: shrink everything to seconds.
        resume: continue an interrupted run; the result is bit-identical to that of an uninterrupted one.

    Raises:
        InputError: if recipe, settings or data cannot be used, or a run stands there already.
        LimitError: if the loss became NaN; the last good checkpoint is kept.
        EnvironmentFault: if TensorFlow or the weights are unavailable.
    """
    loaded = read(recipe)
    settings = resolve(loaded.recipe, set, smoke=smoke)
    if loaded.recipe.check is not None:
        loaded.recipe.check(settings)
    task = tasks.task(loaded.recipe.task)
    path = _folder(loaded, run)
    source = str(data) if data is not None else loaded.recipe.data.default
    started = _begun_run(path, loaded, settings, source) if resume else None
    begun = {"recipe.py": loaded.source.encode()} if resume and loaded.is_file else {}
    if started is None:
        Run.require_free(path, begun=begun)
        require_place(path)
    elif started.is_finished:
        progress.log(f"{path}: is finished already")
        return started
    require_training_packages()
    source = str(data) if data is not None else _started_source(started)
    if not source:
        example = smoke and data is None
        source = default_source(loaded.recipe, recipe, path, example=example, progress=progress)
    settings, dataset, built, signature = _prepared(loaded, task, settings, source, smoke=smoke, progress=progress)
    for name, text in built.notes.items():
        progress.log(f"{name}: {text}")
    require_place(path, _bytes_of(built.model, dataset, settings))
    target = started or Run.create(path, begun=begun)
    with target.alone(), using(settings.data), _quick(built.model) if smoke else nullcontext():
        if started is None:
            Run.require_free(path, begun=begun)  # still: another may have begun it before this one had it alone
        _describe(target, loaded, settings, dataset, built, smoke=smoke)
        log = _train(target, task, built, dataset, signature, settings, resume=resume, progress=progress)
        finish_run(target, task, built.model, dataset, signature, settings, log=log, progress=progress)
    return target


def run_folder(recipe: str | Path, run: str | Path | None = None) -> Path:
    """Where `finetune` of the same arguments puts its Run."""
    return _folder(read(recipe), run)


def _folder(loaded: Loaded, run: str | Path | None) -> Path:
    return Path(run or Path("runs", loaded.recipe.name))


def _begun_run(path: Path, loaded: Loaded, settings: Any, source: str | None) -> Run | None:
    """The run to resume, or None if it was killed before it began.

    Raises:
        InputError: if it was made with another recipe, other settings or other data.
    """
    if not (path / "recipe.json").is_file():
        return None
    sweep_tree(path)
    run = Run.open(path, finished=False)
    hint = "Resume with the same command, or give another --run."
    if run.read_json("recipe")["recipe"] not in (loaded.recipe.name, "recipe.py"):
        raise InputError(path, "was made with another recipe", run.recipe_name, hint)
    _require_same_text(run, loaded)
    kept = as_dict(_current_settings(run, loaded))
    if kept != as_dict(settings):
        raise InputError(path, "was made with other settings", _differences(kept, as_dict(settings)), hint)
    if source is not None and (path / "data.json").is_file() and run.data_source != source:
        raise InputError(path, f"was made with the data {run.data_source}", source, hint)
    return run


def _current_settings(run: Run, loaded: Loaded) -> Any:
    """The run's settings, read by the recipe that the user named: the one in the run is not executed."""
    return from_dict(loaded.recipe.settings, run.read_json("recipe")["settings"], str(run.path / "recipe.json"))


def _require_same_text(run: Run, loaded: Loaded) -> None:
    """Raise InputError, with the difference, if the recipe is no longer what `run` was begun with."""
    if run.read_json("recipe")["source_sha256"] == sha256(loaded.source.encode()):
        return
    kept = run.path / "recipe.py"
    if not kept.is_file():
        hint = "Give another --run, or resume with the version of dltk that began it."
        raise InputError(run.path, "was made with another version of the recipe", loaded.recipe.name, hint)
    received = _changed(read_capped(kept).decode(), loaded.source)
    hint = f"Resume with {kept} in place of the recipe that was changed, or give another --run."
    raise InputError(run.path, "was made with another text of the recipe", received, hint)


def _changed(old: str, new: str) -> str:
    """The first lines of a unified diff, on one line."""
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    lines = [" ".join(line.split()) for line in list(found)[2:]]
    text = " ".join(shorten(line, 60) for line in lines[:_DIFF_LINES]) or "other line endings"
    more = len(lines) - _DIFF_LINES
    return f"{text} ... and {more} more lines" if more > 0 else text


def _started_source(run: Run | None) -> str | None:
    return run.openable_source if run is not None and (run.path / "data.json").is_file() else None


def _differences(kept: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> str:
    found = []
    for key, value in asked.items():
        if isinstance(value, dict) and isinstance(kept.get(key), dict):
            found.append(_differences(kept[key], value, f"{prefix}{key}."))
        elif kept.get(key) != value:
            found.append(f"{prefix}{key}={value} where the run has {kept.get(key)}")
    return ", ".join(text for text in found if text)


def _bytes_of(model: Any, dataset: Dataset, settings: Any) -> int:
    """What a run takes at least: the model, its checkpoint with the two moments of an optimizer, the test samples."""
    weights = sum(math.prod(weight.shape) for weight in model.weights) * 4
    store = dataset.test.store
    samples = len(dataset.test) * math.prod(store.shape[1:]) * store.dtype.itemsize
    return 4 * weights + min(samples, settings.data.evaluation_mb * 1_000_000)


def _prepared(
    loaded: Loaded, task: Task, settings: Any, source: str | None, *, smoke: bool, progress: Progress
) -> tuple[Any, Dataset, Built, Signature]:
    """Data and model, and the settings they were made with: random weights where a smoke run cannot have others."""
    try:
        dataset = task.prepare(settings, source, progress=progress)
        require_test_samples(dataset)
        return settings, dataset, *_build(loaded, settings, task, dataset)
    except EnvironmentFault as fault:
        keys = {leaf.key for leaf in describe(settings)}
        random = apply(settings, {key: value for key, value in _RANDOM.items() if key in keys}) if smoke else settings
        if random == settings:
            raise
        progress.warn(f"{fault.where}: {fault.rule}: random weights are used instead, since it is a smoke run")
        return _prepared(loaded, task, random, source, smoke=False, progress=progress)


def _quick(model: Any) -> AbstractContextManager[None]:
    """Compiles nothing while the block runs, where compiling a model takes longer than a smoke run on it."""
    from dltk.models.backend import without_compilation

    return without_compilation() if len(model.layers) > _MOST_COMPILED else nullcontext()


def _build(loaded: Loaded, settings: Any, task: Task, dataset: Dataset) -> tuple[Built, Signature]:
    from dltk.models.backend import require_tensorflow

    _, keras = require_tensorflow()
    keras.utils.clear_session()  # layers that the recipe leaves unnamed are then numbered from 1 in every run
    keras.utils.set_random_seed(settings.seed)  # a resumed run starts from the same weights, whatever the recipe does
    built = loaded.recipe.build(settings, task.contract(settings, dataset))
    if not isinstance(built, Built):
        raise InputError(f"recipe {loaded.recipe.name}", "`build` must return a Built", type(built).__name__)
    signature = tasks.signature_of(task, settings, dataset, built)
    task.check(built.model, signature)
    return built, signature


def _describe(run: Run, loaded: Loaded, settings: Any, dataset: Dataset, built: Built, *, smoke: bool) -> None:
    """Write the description of the run; the same again when it is resumed.

    Raises:
        InputError: if the data is no longer what the run was begun with.
    """
    if (run.path / "data.json").is_file() and run.data.get("digest") != dataset.digest:
        hint = "Restore the data, or give another --run."
        raise InputError(dataset.source, "must still be the data the run was begun with", "changed samples", hint)
    run.write_recipe(loaded, settings, smoke=smoke)  # first: with it the folder is a run, and can be resumed
    run.write_json("data", {"source": dataset.source, "digest": dataset.digest, "report": dict(dataset.report)})
    run.write_json("notes", dict(built.notes))


def _train(
    run: Run,
    task: Task,
    built: Built,
    dataset: Dataset,
    signature: Signature,
    settings: Any,
    *,
    resume: bool,
    progress: Progress,
) -> TrainingLog:
    """Phase after phase: each starts from the best weights so far."""
    history: list[dict[str, Any]] = []
    kept: dict[str, Any] | None = None
    for trainer in training.trainer_class(task.trainer).phases(built, dataset, signature, settings, progress=progress):
        checkpoint = run.checkpoints / f"{trainer.name}.npz"
        rows = training.run(trainer, checkpoint=checkpoint, resume=resume, samples=run.samples, progress=progress)
        history, kept = history + rows, training.best_checkpoint(trainer, rows, kept)
    if kept is not None:
        progress.log(f"kept: {training.best_checkpoint_line(kept)}")
    return TrainingLog(history, kept)
