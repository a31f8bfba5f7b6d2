"""The update rules by name, for Keras 3 and for tf_keras models alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from dltk.recipe.groups import Fit

__all__ = ["is_keras3", "optimizer"]

_CLASSES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adagrad": "Adagrad", "rmsprop": "RMSprop"}


def is_keras3(model: Any) -> bool:
    """Whether `model` is a Keras 3 model; otherwise it is a tf_keras one."""
    return any(kind.__module__.partition(".")[0] == "keras" for kind in type(model).__mro__)


def optimizer(fit: Fit, model: Any, **overrides: Any) -> Any:
    """A new optimizer for `model`, built on its own side of the two Keras; the rate is assigned a step.

    `overrides` go to its class as they are: what a trainer insists on.
    """
    settings: dict[str, Any] = {"learning_rate": fit.learning_rate} | dict(_extras(fit)) | overrides
    if is_keras3(model):
        return getattr(import_module("keras").optimizers, _CLASSES[fit.optimizer])(**settings)
    # tf_keras compiles its update with XLA unless told otherwise: slow to start, and no faster on a CPU.
    return getattr(import_module("tf_keras").optimizers, _CLASSES[fit.optimizer])(**settings, jit_compile=False)


def _extras(fit: Fit) -> Mapping[str, Any]:
    if fit.optimizer == "sgd":
        return {"momentum": fit.momentum, "nesterov": fit.nesterov}
    if fit.optimizer == "rmsprop":
        return {"momentum": fit.momentum}
    if fit.optimizer == "adamw":
        return {"weight_decay": fit.weight_decay}
    return {}
