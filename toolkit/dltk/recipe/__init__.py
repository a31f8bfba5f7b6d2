"""Recipes and their settings (floor 0)."""

from __future__ import annotations

from dltk.recipe.groups import Adversarial, Augment, Calibration, Fit, ImageData, PlainImageData, PruneAndQuantize
from dltk.recipe.recipe import Built, Contract, DataHint, Phase, Recipe
from dltk.recipe.settings import setting

__all__ = [
    "Adversarial",
    "Augment",
    "Built",
    "Calibration",
    "Contract",
    "DataHint",
    "Fit",
    "ImageData",
    "Phase",
    "PlainImageData",
    "PruneAndQuantize",
    "Recipe",
    "setting",
]
