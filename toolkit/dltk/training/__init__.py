"""How models learn (floor 4): trainers, one harness for all of them, caches, evaluation.

from dltk.training import run, trainers

for trainer in trainers("fit")(built, dataset, signature, settings):
    history = run(trainer, checkpoint=folder / f"{trainer.name}.npz", resume=False)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltk.training.backend import layer_by_layer, require_tensorflow
    from dltk.training.dqn import DqnTrainer
    from dltk.training.evaluation import inputs_of, predict_outputs, report
    from dltk.training.fit import FitTrainer
    from dltk.training.gan import GanTrainer
    from dltk.training.harness import run
    from dltk.training.tables import as_text
    from dltk.training.teacher import Teacher, cached_teacher
    from dltk.training.told import kept_line, kept_of
    from dltk.training.trainer import TRAINERS, Trainer, trainers
    from dltk.training.validation import validation_of

_HOMES = {  # name -> module; imported when first asked for, since most of them load TensorFlow
    "DqnTrainer": "dqn",
    "FitTrainer": "fit",
    "GanTrainer": "gan",
    "TRAINERS": "trainer",
    "Teacher": "teacher",
    "Trainer": "trainer",
    "as_text": "tables",
    "cached_teacher": "teacher",
    "inputs_of": "evaluation",
    "kept_line": "told",
    "kept_of": "told",
    "layer_by_layer": "backend",
    "predict_outputs": "evaluation",
    "report": "evaluation",
    "require_tensorflow": "backend",
    "run": "harness",
    "trainers": "trainer",
    "validation_of": "validation",
}

__all__ = [
    "TRAINERS",
    "DqnTrainer",
    "FitTrainer",
    "GanTrainer",
    "Teacher",
    "Trainer",
    "as_text",
    "cached_teacher",
    "inputs_of",
    "kept_line",
    "kept_of",
    "layer_by_layer",
    "predict_outputs",
    "report",
    "require_tensorflow",
    "run",
    "trainers",
    "validation_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dltk.training' has no attribute {name!r}")
    return getattr(import_module(f"dltk.training.{_HOMES[name]}"), name)
