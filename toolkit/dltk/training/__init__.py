"""How models learn (floor 4): trainers, one harness for all of them, caches, evaluation.

from dltk.training import run, trainer_class

for trainer in trainer_class("fit").phases(built, dataset, signature, settings):
    history = run(trainer, checkpoint=folder / f"{trainer.name}.npz", resume=False)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltk.training.baselines.series import compare_series
    from dltk.training.evaluation.report import inputs_of, predict_outputs, report
    from dltk.training.evaluation.text import as_text
    from dltk.training.harness import run
    from dltk.training.log import best_checkpoint, best_checkpoint_line
    from dltk.training.selection import validate_model
    from dltk.training.teacher import Teacher, cached_teacher
    from dltk.training.trainer import Trainer
    from dltk.training.trainers.dqn import DqnTrainer
    from dltk.training.trainers.fit import FitTrainer
    from dltk.training.trainers.gan import GanTrainer
    from dltk.training.trainers.options import FitOptions
    from dltk.training.trainers.table import TRAINERS, trainer_class

_HOMES = {  # name -> module; imported when first asked for, since most of them load TensorFlow
    "DqnTrainer": "trainers.dqn",
    "FitOptions": "trainers.options",
    "FitTrainer": "trainers.fit",
    "GanTrainer": "trainers.gan",
    "TRAINERS": "trainers.table",
    "Teacher": "teacher",
    "Trainer": "trainer",
    "as_text": "evaluation.text",
    "cached_teacher": "teacher",
    "compare_series": "baselines.series",
    "inputs_of": "evaluation.report",
    "best_checkpoint_line": "log",
    "best_checkpoint": "log",
    "predict_outputs": "evaluation.report",
    "report": "evaluation.report",
    "run": "harness",
    "trainer_class": "trainers.table",
    "validate_model": "selection",
}

__all__ = [
    "TRAINERS",
    "DqnTrainer",
    "FitOptions",
    "FitTrainer",
    "GanTrainer",
    "Teacher",
    "Trainer",
    "as_text",
    "cached_teacher",
    "compare_series",
    "inputs_of",
    "best_checkpoint_line",
    "best_checkpoint",
    "predict_outputs",
    "report",
    "run",
    "trainer_class",
    "validate_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dltk.training' has no attribute {name!r}")
    return getattr(import_module(f"dltk.training.{_HOMES[name]}"), name)
