"""The tasks by name (floor 2). A new one adds one file here and one row to this table."""

from __future__ import annotations

from importlib import import_module

from dltk.base.errors import InputError, did_you_mean
from dltk.tasks.base import Task, signature_of

__all__ = ["TASKS", "Task", "signature_of", "task"]

TASKS = {  # name -> module that holds `TASK`; imported when first asked for
    "image-classification": "dltk.tasks.image_classification",
    "forecast": "dltk.tasks.forecast",
    "generate": "dltk.tasks.generate",
    "autoencode": "dltk.tasks.autoencode",
    "audio-keyword": "dltk.tasks.audio_keyword",
    "text-classification": "dltk.tasks.text_classification",
    "image-text-classification": "dltk.tasks.image_text",
    "control": "dltk.tasks.control",
    "recommend": "dltk.tasks.recommend",
    "tabular": "dltk.tasks.tabular",
    "segmentation": "dltk.tasks.segmentation",
}


def task(name: str) -> Task:
    """The task called `name`.

    Raises:
        InputError: if this version of dltk does not know it.
    """
    if name not in TASKS:
        raise InputError(f"task {name!r}", "is not known to this version of dltk", hint=did_you_mean(name, TASKS))
    found: Task = import_module(TASKS[name]).TASK
    return found
