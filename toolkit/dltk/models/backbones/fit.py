"""Whether a backbone, its width, its weights and the size of its input fit each other, and how small they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.models.backbones.table import backbone

__all__ = ["check_backbone", "smoke_alpha", "smoke_size"]

_SMOKE = 32  # pixels: what a smoke run has at least


def check_backbone(settings: Any) -> None:
    """Hold `model.backbone`, `model.alpha`, `model.weights` and `data.size` against each other; loads no Keras.

    Raises:
        InputError: naming the setting that does not fit.
    """
    model, size = settings.model, settings.data.size
    spec = backbone(model.backbone, "setting model.backbone")
    if model.alpha not in spec.alphas:
        raise InputError("setting model.alpha", f"must be {_one_of(spec.alphas)} for {spec.name}", model.alpha)
    if size < spec.min_size:
        raise InputError("setting data.size", f"must be at least {spec.min_size} for {spec.name}", size)
    if model.weights not in ("imagenet", "none"):
        from dltk.models.backbones.weights import user_file  # NumPy, which listing recipes does without

        user_file(Path(model.weights))


def smoke_alpha(settings: Any) -> float:
    """The smallest width of the backbone; with weights, which have a width of their own, the one that is set."""
    if settings.model.weights != "none":
        return float(settings.model.alpha)
    return min(backbone(settings.model.backbone, "setting model.backbone").alphas)


def smoke_size(settings: Any, *, multiple: int = 1) -> int:
    """The smallest height and width that the backbone takes: at least 32, and a multiple of `multiple`."""
    smallest = max(_SMOKE, backbone(settings.model.backbone, "setting model.backbone").min_size)
    return -(-smallest // multiple) * multiple


def _one_of(values: tuple[float, ...]) -> str:
    return " or ".join(map(str, values))
