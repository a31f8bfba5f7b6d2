"""`dltk finetune` without TensorFlow: its Run, checkpoints and last files, with a trainer that only counts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import tiny
from dltk.data.dataset import Dataset, Split
from dltk.recipe import Built
from dltk.recipe.load import read
from dltk.run import Run
from dltk.training import harness
from dltk.workflows import finetune, finish

EPOCHS = 3


class Model(np.ndarray):
    """What `finetune` asks of a model before it trains."""

    layers = weights = ()


class Counting:
    """Its weights are a count of the batches."""

    name, epochs, steps = "fit", EPOCHS, 2

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def batches(self, epoch: int) -> list[float]:
        return [epoch + 1.0, epoch + 2.0]

    def step(self, batch: float) -> Mapping[str, Any]:
        self.weights += batch
        return {"loss": 1 / batch}

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        return {"accuracy": 0.5}

    def done(self, history: Any) -> bool:
        return False

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.weights[:] = state["weights"]

    def shown(self, epoch: int) -> Mapping[str, bytes]:
        return {f"{epoch}.txt": b"seen"}

    def finish(self) -> None:
        pass

    def explain(self, epoch: int, step: int) -> str:
        return ""


def put_in_place(patch: Any) -> None:
    """Let `finetune` train a `Counting` on made-up samples; `patch` is `monkeypatch` or like it."""
    from dltk import tasks, training

    raws = tiny.raws(9)
    splits = [Split(raws, rows, np.zeros(3, np.int64)) for rows in np.split(np.arange(9), 3)]
    dataset = Dataset(*splits, labels=tiny.LABELS, digest="samples", source="digits", report={})
    task = SimpleNamespace(name="stub", trainer="fit", prepare=lambda *given, **named: dataset)
    module = sys.modules["dltk.workflows.finetune"]  # the name itself is bound to the function

    def built(*given: Any) -> Any:
        return Built(np.zeros(1000).view(Model), (), ()), tiny.SIGNATURE

    patch.setattr(tasks, "task", lambda name: task)
    trainers = SimpleNamespace(phases=lambda built, *given, **named: iter([Counting(built.model)]))
    patch.setattr(training, "trainer_class", lambda name: trainers, raising=False)
    patch.setattr(harness, "_WRITE_SHARE", 1e9)  # a checkpoint every epoch
    patch.setattr(module, "_build", built)
    features = SimpleNamespace(refresh_dataset=lambda task, model, dataset, *given: dataset)
    patch.setitem(sys.modules, "dltk.training.features", features)
    patch.setattr(
        finish,
        "_evaluate_test_split",
        lambda task, model, dataset, signature, *given: (
            {"accuracy": 0.5},
            signature,
            {"raws": raws, "targets": raws[:, 0]},
        ),
    )
    patch.setattr(finish, "keras_bytes", lambda model: model.tobytes())


def train(folder: Path, *, resume: bool = False, recipe: str | Path = "cnn") -> Run:
    """`dltk finetune RECIPE --run FOLDER`."""
    return finetune(recipe, data="digits", run=folder, smoke=True, resume=resume)


def recipe_file(folder: Path) -> Path:
    """A recipe as a file: a Run keeps a copy."""
    path = folder / "own.py"
    path.write_text(read("cnn").source)
    return path
