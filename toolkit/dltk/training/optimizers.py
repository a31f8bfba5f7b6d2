"""The update rules by name, for Keras 3 and for tf_keras models alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from dltk.base.progress import SILENT, Progress
from dltk.recipe.groups import Fit

__all__ = ["is_keras3", "lengthened", "optimizer", "rate"]

_CLASSES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adagrad": "Adagrad", "rmsprop": "RMSprop"}


def is_keras3(model: Any) -> bool:
    """Whether `model` is a Keras 3 model; otherwise it is a tf_keras one."""
    return any(kind.__module__.partition(".")[0] == "keras" for kind in type(model).__mro__)


def optimizer(fit: Fit, model: Any, **overrides: Any) -> Any:
    """A new optimizer for `model`, built with its own Keras (3 or tf_keras); the rate is assigned at every step.

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


def lengthened(fit: Fit, samples: int, *, name: str = "fit", progress: Progress = SILENT) -> Fit:
    """`fit` with the epochs that `fit.least_steps` optimizer steps need on `samples` samples, if it has fewer.

    Zero epochs stay zero. More are logged, with the `name` of the phase.
    """
    steps = max(math.ceil(samples / fit.batch_size), 1)
    epochs = math.ceil(fit.least_steps / steps)
    if not fit.epochs or epochs <= fit.epochs:
        return fit
    progress.log(
        f"{name}: up to {epochs:,} epochs in place of {fit.epochs:,}, for {fit.least_steps:,} steps on {samples:,} "
        f"training samples; --set {name}.epochs=N sets their number"
    )
    return replace(fit, epochs=epochs)


def rate(fit: Fit, step: int, steps: int) -> float:
    """The learning rate of optimizer step `step` (from 0), with `steps` steps an epoch.

    Linear warm-up over `fit.warmup` epochs reaches the peak, then the schedule runs over what is left: cosine to zero
    (arXiv:1608.03983, one cycle), a factor every `decay_every` epochs in steps, or the same smoothly. "plateau" is
    constant here; the trainer multiplies its own factor in.
    """
    warm = fit.warmup * steps
    if step < warm:
        return fit.learning_rate * (step + 1) / (warm + 1)
    after = step - warm
    if fit.schedule == "cosine":
        left = max(fit.epochs * steps - warm, 1.0)
        return fit.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(after / left, 1.0)))
    if fit.schedule == "step":
        # The small part keeps a boundary that floating point puts just before the whole number.
        return fit.learning_rate * fit.decay_factor ** math.floor(after / (fit.decay_every * steps) + 1e-9)
    if fit.schedule == "exponential":
        return fit.learning_rate * float(fit.decay_factor ** (after / (fit.decay_every * steps)))
    return fit.learning_rate
