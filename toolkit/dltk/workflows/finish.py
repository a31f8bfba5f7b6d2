"""The end of making a Run: figures on the test split, and the files that export starts from."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import shorten
from dltk.base.files import write_atomic
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.arrays import save_npz
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.models.files.save import keras_bytes
from dltk.run import Run
from dltk.tasks import Task

__all__ = ["NOT_TRAINED", "TrainingLog", "finish_run", "write_history"]


_REASON = 200  # characters of why there are no baselines


@dataclass(frozen=True)
class TrainingLog:
    """How the training of a run went.

    Attributes:
        history: one row per epoch.
        kept: which epoch's weights the model has, as from `dltk.training.best_checkpoint`; None if it is not known.
    """

    history: Sequence[Mapping[str, Any]] = ()
    kept: Mapping[str, Any] | None = None


NOT_TRAINED = TrainingLog()  # of a model that was adopted or compressed


def finish_run(
    run: Run,
    task: Task,
    model: Any,
    dataset: Dataset,
    signature: Signature,
    settings: Any,
    *,
    log: TrainingLog = NOT_TRAINED,
    progress: Progress,
) -> None:
    """Write signature, test samples, model and metrics; the metrics last: with them the run is finished."""
    history, kept = log.history, log.kept
    row = _row(history, kept)
    metrics, settled, samples = _evaluate_test_split(task, model, dataset, signature, settings, row, progress)
    if history and (beside := _baselines(task, dataset, progress)):
        metrics = {**metrics, "baselines": beside}
    if history:
        write_history(run.history_path, history)
    run.write_signature(settled)
    save_npz(run.evaluation_path, samples)
    write_atomic(run.model_path, keras_bytes(model))
    run.write_json("metrics", metrics if kept is None else {**metrics, "kept": dict(kept)})


def _baselines(task: Task, dataset: Dataset, progress: Progress) -> dict[str, Any]:
    """See `dltk.training.baselines.baselines_of`. What they cannot do on these samples never costs a trained model."""
    from dltk.training.baselines import baselines_of

    compute = baselines_of(task.name)
    try:
        return {} if compute is None else dict(compute(dataset))
    except (ValueError, ArithmeticError, MemoryError) as fault:
        progress.warn(f"baselines: not computed: {shorten(str(fault) or type(fault).__name__, _REASON)}")
        return {}


def _row(history: Sequence[Mapping[str, Any]], kept: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The epoch of the history whose weights the model has; the last if that is not recorded."""
    where = None if kept is None else (kept["phase"], kept["epoch"])
    found = [row for row in history if (row["phase"], row["epoch"]) == where]
    return found[0] if found else history[-1] if history else {}


def write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """One row per epoch; a figure that a phase does not have stays empty."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomic(path, stream.getvalue().encode())


def _evaluate_test_split(
    task: Task,
    model: Any,
    dataset: Dataset,
    signature: Signature,
    settings: Any,
    row: Mapping[str, Any],
    progress: Progress,
) -> tuple[dict[str, Any], Signature, dict[str, NDArray[Any]]]:
    """Metrics on the test split, the signature finished with the validation split, and the test samples to keep.

    Of a family where no prediction is right or wrong: the figures of training in `row`, and the signature as it was.
    """
    from dltk import training
    from dltk.training.features import Frozen, refresh_dataset
    from dltk.training.log import FACTS

    dataset = refresh_dataset(task, model, dataset, signature, settings)
    limit = settings.data.evaluation_mb * 1_000_000
    raws, targets = task.evaluation(dataset, limit_bytes=limit, seed=settings.seed)
    samples = {"raws": raws, "targets": targets}
    if not family(signature.family).metrics:
        kept = {name: row[name] for name in row if name not in FACTS}
        none = np.zeros((0, *signature.outputs[0].sample_shape), np.float32)
        own = task.figures(none, dataset, signature, settings)
        return {"kind": signature.family, "training": kept, **own}, signature, samples
    frozen = Frozen(model)
    held_out, outputs = (
        training.predict_outputs(frozen, split, signature, progress=progress)
        for split in (dataset.validation, dataset.test)
    )
    validation = (held_out, dataset.validation.targets) if len(held_out) else None
    inputs = training.inputs_of(dataset.test, signature)
    general = training.report(outputs, dataset.test.targets, signature, validation=validation, inputs=inputs)
    found = dict(general)
    if task.uses_training_outputs and len(held_out):
        found["training_outputs"] = training.predict_outputs(frozen, dataset.train, signature, progress=progress)
    settled = task.finalize_signature(signature, held_out, dataset, found)
    own = task.figures(outputs, dataset, settled, settings)
    if signature.family == "series":
        own |= training.compare_series(dataset, settled, own["mean_absolute_error"])
        progress.log(own["comparison"])
    return {**general, **own}, settled, samples
