"""Recipes and their settings (floor 0)."""

from __future__ import annotations

from dltk.recipe.data_groups import (
    CACHE_HELP,
    CacheUse,
    ImageData,
    PairData,
    PlainImageData,
    SizedImageData,
    SoundData,
    TableFormat,
    TextData,
)
from dltk.recipe.groups import (
    Adversarial,
    Augment,
    Augmentation,
    Calibration,
    Dqn,
    Fit,
    PruneAndQuantize,
    SoundAugment,
)
from dltk.recipe.recipe import Built, Contract, DataHint, Phase, Recipe
from dltk.recipe.settings import setting

__all__ = [
    "CACHE_HELP",
    "Adversarial",
    "Augment",
    "Augmentation",
    "Built",
    "CacheUse",
    "Calibration",
    "Contract",
    "DataHint",
    "Dqn",
    "Fit",
    "ImageData",
    "PairData",
    "Phase",
    "PlainImageData",
    "PruneAndQuantize",
    "SizedImageData",
    "Recipe",
    "SoundAugment",
    "SoundData",
    "TableFormat",
    "TextData",
    "setting",
]
