"""What cached features are worth: the head's training against plain `fit` with the backbone frozen.

Both sides start from equal weights, see equal images in one view, use the same optimizer at the same constant rate, and
score the same validation images after every epoch. The plain side gets its images as float32 arrays, ready scaled, for
nothing; dltk's side starts with no features cached and makes them within its time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_most, spread

__all__ = ["phase_one"]

_PLAIN_EPOCHS, _EPOCHS = 5, 20
_COMMAND = "python tests/benchmarks/bench.py --only phase-one"


def phase_one(*, images: int = 5000, validation: int = 1000, size: int = 96, repeats: int = 3) -> list[Figure]:
    """Seconds to the accuracy of five plain epochs, and seconds of each further epoch, as shares of the plain ones."""
    prepared = _prepare(images, validation, size)
    to_reach, further, plain_seconds, ours_seconds, reached = [], [], [], [], []
    for number in range(repeats):
        plain_marks, accuracy = _plain(*prepared)
        ours_marks, ours_accuracy = _ours(*prepared)
        enough = [epoch for epoch, found in enumerate(ours_accuracy, 1) if found >= accuracy]
        plain_epochs, ours_epochs = np.diff(plain_marks), np.diff(ours_marks)
        needed = ours_marks[enough[0]] if enough else float("inf")
        print(
            f"  {number + 1}: plain {plain_marks[-1]:.1f} s to {accuracy:.4f}; dltk {needed:.1f} s, "
            f"epoch {enough[0] if enough else '-'} of {_EPOCHS}, best {max(ours_accuracy):.4f}",
            flush=True,
        )
        to_reach.append(needed / plain_marks[-1])
        further.append(float(np.median(ours_epochs[1:]) / np.median(plain_epochs[1:])))
        plain_seconds.append(plain_marks[-1])
        ours_seconds.append(needed)
        reached.append(accuracy)
    return _figures(images, size, to_reach, further, plain_seconds, ours_seconds, reached)


def _figures(
    images: int, size: int, to_reach: Sequence[float], further: Sequence[float], plain: Sequence[float],
    ours: Sequence[float], reached: Sequence[float]
) -> list[Figure]:  # fmt: skip
    def row(what: str, values: Sequence[float], form: str, target: str = "", limit: float | None = None) -> Figure:
        middle, words = spread(values, form)
        met = None if limit is None else at_most(middle, limit)
        return Figure("phase-one", what, _COMMAND, form.format(middle), words, target, met, machine())

    about = f"{images:,} CIFAR-10 images at {size} px, MobileNetV2"
    return [
        row(f"validation accuracy of 5 plain epochs ({about})", reached, "{:.4f}"),
        row("seconds of 5 plain epochs", plain, "{:.1f}"),
        row("seconds of dltk to that accuracy, including features", ours, "{:.1f}"),
        row("time to that accuracy, dltk relative to plain", to_reach, "{:.3f}", "at most 0.2", 0.2),
        row("time of a further epoch, dltk relative to plain", further, "{:.4f}", "at most 0.02", 0.02),
    ]


def _prepare(images: int, validation: int, size: int) -> tuple[Any, Any, Any, Any]:
    """Recipe, settings, task and data; decoded images come from dltk's usual cache."""
    from dltk import tasks
    from dltk.recipe.load import read, resolve

    recipe = read("image-classification").recipe
    pairs = {
        "data.size": size, "data.limit": images, "data.validation": validation / 50_000, "augment.views": 1,
        "augment.flip": "false", "head.epochs": _EPOCHS, "head.schedule": "constant", "tune.epochs": 0,
    }  # fmt: skip
    settings = resolve(recipe, [f"{key}={value}" for key, value in pairs.items()], smoke=False)
    task = tasks.task(recipe.task)
    return recipe, settings, task, task.prepare(settings, "cifar10", progress=_progress())


def _progress() -> Any:
    from dltk.cli.console import progress

    return progress()


def _plain(recipe: Any, settings: Any, task: Any, dataset: Any) -> tuple[list[float], float]:
    """Seconds after 0, 1, ... epochs of `fit`, and the last validation accuracy."""
    import keras

    from dltk.edge.families import family

    built = recipe.build(settings, task.contract(settings, dataset))
    signature = task.signature(settings, dataset, built)
    kind, marks = family(signature.family), [0.0]
    train, held = (
        (kind.tensors(split.take(np.arange(len(split))), signature)["image"], split.targets)
        for split in (dataset.train, dataset.validation)
    )
    started = time.perf_counter()
    for layer in built.model.layers:
        layer.trainable = layer.name in ("dropout", "logits")
    built.model.compile(
        optimizer=keras.optimizers.Adam(settings.head.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(time.perf_counter() - started))
    history = built.model.fit(
        *train, batch_size=settings.head.batch_size, epochs=_PLAIN_EPOCHS, validation_data=held,
        callbacks=[clock], verbose=0
    )  # fmt: skip
    return marks, float(history.history["val_accuracy"][-1])


def _ours(recipe: Any, settings: Any, task: Any, dataset: Any) -> tuple[list[float], list[float]]:
    """Seconds after 0, 1, ... epochs of dltk's head phase, and the validation accuracy after each."""
    from dltk import training

    built = recipe.build(settings, task.contract(settings, dataset))
    signature = task.signature(settings, dataset, built)
    with _empty_cache() as folder:
        started = time.perf_counter()
        (trainer,) = training.trainer_class(task.trainer).phases(built, dataset, signature, settings)
        clock = _Clock(trainer, started)
        history = training.run(clock, checkpoint=folder / "head.npz")
        marks = [*clock.marks, time.perf_counter() - started]
    return [0.0, *marks[1:]], [row["validation_accuracy"] for row in history]


class _Clock:
    """A trainer that notes when each of its epochs is over; the harness asks `done` before every epoch but the last."""

    def __init__(self, trainer: Any, started: float) -> None:
        self._trainer, self._started = trainer, started
        self.marks: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def done(self, history: Sequence[Mapping[str, Any]]) -> bool:
        self.marks.append(time.perf_counter() - self._started)
        return bool(self._trainer.done(history))


@contextmanager
def _empty_cache() -> Any:
    """A folder that is dltk's cache for the while, so that no feature is there already."""
    before = os.environ.get("DLTK_CACHE")
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as scratch:
        os.environ["DLTK_CACHE"] = scratch
        try:
            yield Path(scratch)
        finally:
            os.environ.pop("DLTK_CACHE")
            if before is not None:
                os.environ["DLTK_CACHE"] = before
