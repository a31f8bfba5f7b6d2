"""Recipes and their settings (floor 0)."""

from __future__ import annotations

from dltk.recipe.groups import Augment, Calibration, Dqn, Fit, ImageData, PruneAndQuantize
from dltk.recipe.recipe import Built, Contract, DataHint, Phase, Recipe
from dltk.recipe.settings import setting

__all__ = [
    "Augment",
    "Built",
    "Calibration",
    "Contract",
    "DataHint",
    "Dqn",
    "Fit",
    "ImageData",
    "Phase",
    "PruneAndQuantize",
    "Recipe",
    "setting",
]
