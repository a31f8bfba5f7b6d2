"""The effect of each step of a compression, measured on files: bytes, download, latency, metric with its interval.

A step that trains has had more epochs than the source. What those alone would have given is measured beside it: the
source model, trained on for the same epochs on the same samples at the same rate, left in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk.base.files import write_atomic
from dltk.compress.candidate import Workbench
from dltk.compress.retrain import Retrain, trainer_for
from dltk.compress.steps import Planned
from dltk.export.emit import Target
from dltk.models.files.keras_file import open_keras
from dltk.models.files.save import keras_bytes
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import ArtifactRow, StateRow, StepRow
from dltk.run import Run
from dltk.validate import Gate
from dltk.workflows.measure import Evaluation, measure

__all__ = ["CONTROL", "state_rows", "train_control", "trained_settings"]

CONTROL = "float32, same extra epochs"
_SOURCE = "source, float32"


def state_rows(
    made: Run,
    bench: Workbench,
    planned: Sequence[Planned],
    steps: Sequence[StepRow],
    rows: Sequence[ArtifactRow],
    samples: Evaluation,
    *,
    control: bool,
) -> list[StateRow]:
    """One row per state of the model: the source, the model after each step that changed it, the quantized file,
    control.

    Args:
        made: the run that is being made; the models between steps lie in its `steps/`.
        planned, steps: what was asked for, and what each reported, in the same order.
        rows: the files of the final model, as they were measured already: they are not measured again.
        samples: the test samples; drops are counted from their baseline.
        control: train the source for the epochs that the steps took, where any did.
    """
    judge, models = _Judge(bench, samples), list(_between(made, planned))
    float32 = [row for row in rows if row.precision == "float32"]
    found = [judge.row(_SOURCE, bench.source)] if models else [_short(_SOURCE, row) for row in float32]
    found += [judge.row(name, open_keras(path)) for name, path in models[:-1]]
    found += [_short(name, row) for name, _ in models[-1:] for row in float32]
    found += [_short(steps[-1].name, row) for row in rows if row.precision != "float32" and steps]
    extra = trained_settings(planned, steps) if control else []
    if extra:
        found.append(judge.row(CONTROL, train_control(made, bench, extra)))
    return found


def trained_settings(planned: Sequence[Planned], steps: Sequence[StepRow]) -> list[Retrain]:
    """The settings of the steps that trained, each with the epochs that it took."""
    found = []
    for step, told in zip(planned, steps, strict=True):
        rows = told.figures.get("epochs")
        epochs = sum(row["epoch"] > 0 for row in rows) if isinstance(rows, list) else 0  # 0: the weights at the start
        if isinstance(step.settings, Retrain) and epochs:
            found.append(replace(step.settings, epochs=epochs))
    return found


def train_control(made: Run, bench: Workbench, extra: Sequence[Retrain]) -> Any:
    """The source model after phases of `extra`, one per step that trained, to the same labels and teacher.

    Kept in the run, so that a resumed compression does not train it again.
    """
    kept = made.path / "steps" / "control.keras"
    if kept.is_file():
        return open_keras(kept)
    from dltk.training import run
    from dltk.twin.keras3 import copied

    model = copied(bench.source)
    for number, settings in enumerate(extra):
        trainer = trainer_for(model, settings, bench, name=f"control-{number}")
        checkpoint = made.checkpoints / f"control-{number}.npz"
        run(trainer, checkpoint=checkpoint, resume=checkpoint.is_file(), progress=bench.progress)
    write_atomic(kept, keras_bytes(model))
    return model


def _between(made: Run, planned: Sequence[Planned]) -> Iterator[tuple[str, Path]]:
    """The name of each step that changed the model, and the file of what it made."""
    for number, step in enumerate(planned):
        path = made.path / "steps" / f"{number}-{step.name}.keras"
        if path.is_file():
            yield step.name, path


class _Judge:
    """Measures float32 files on the run's own test samples."""

    def __init__(self, bench: Workbench, samples: Evaluation) -> None:
        # What is judged is the metric: a model half way is not held to anybody's outputs.
        self._bench, self._samples = bench, replace(samples, reference=samples.baseline)

    def row(self, after: str, model: Any) -> StateRow:
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        plan: QuantizationPlan | None = None
        bench = self._bench
        graph, target = deployed_graph(read(model)), Target("tflite", "float32")
        found = measure(
            graph, bench.signature, target, plan, self._samples, gate=Gate(), seed=bench.seed, device=bench.device
        )
        return _short(after, found.row())


def _short(after: str, row: ArtifactRow) -> StateRow:
    return StateRow(
        after=after,
        file=row.file,
        precision=row.precision,
        bytes=row.bytes,
        download_bytes=row.download_bytes,
        p50_ms=row.p50_ms,
        metric=row.metric,
    )
