"""The grid: every class of `keras.layers`, every argument of each, every value that is tried; one case each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from dltk.twin.table import DROPPED_IN_USE, ROWS
from layergrid.kinds import Recipe, reshaped
from layergrid.recipes import NEVER, RECIPES
from layergrid.values import values_of

__all__ = ["Case", "cases", "classes", "forgotten"]

_COMMON = ("dtype", "name", "trainable")
_ALL_POLICIES = ("BatchNormalization", "Conv2D", "Dense", "LSTM")
_ALL_FUNCTIONS = ("Activation", "Conv2D", "Dense", "GRU", "LSTM", "SimpleRNN")
_SOME_FUNCTIONS = ("celu", "gelu", "glu", "hard_sigmoid", "leaky_relu", "softmax")
_HOLDING = ("RNN", "SpectralNormalization")  # refused by what they hold, too
_TOGETHER = ("_initializer", "_regularizer", "_constraint")  # all of a kind in one case: weights are copied anyway


@dataclass(frozen=True)
class Case:
    """A branch of a model.

    Attributes:
        make: the image (8, 8, 3) in -1..1 -> the tensors that the layer makes of it.
    """

    kind: str
    name: str
    make: Callable[[Any], list[Any]]


def classes() -> dict[str, Any]:
    """Name -> class, of everything in `keras.layers`, aliases under their first name only."""
    found: dict[Any, str] = {}
    for name in sorted(dir(keras.layers)):
        kind = getattr(keras.layers, name)
        if inspect.isclass(kind) and (kind not in found or kind.__name__ == name):
            found[kind] = name
    return {name: kind for kind, name in found.items()}


def forgotten() -> list[str]:
    """Classes without a recipe or a reason, and arguments without a value."""
    found = [name for name in classes() if name not in RECIPES and name not in NEVER]
    for name, kind in classes().items():
        if name in RECIPES:
            recipe = RECIPES[name]
            found += [f"{name}({argument})" for argument in _arguments(kind) if _values(recipe, argument) is None]
    return found


def cases() -> list[Case]:
    """All of the grid, in a fixed order."""
    return [case for name in classes() if name in RECIPES for case in _of_class(name, RECIPES[name])]


def _arguments(kind: Any) -> list[str]:
    parameters = inspect.signature(kind.__init__).parameters.values()
    skipped = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [each.name for each in parameters if each.name != "self" and each.kind not in skipped]


def _values(recipe: Recipe, argument: str) -> tuple[Any, ...] | None:
    return recipe.values[argument] if argument in recipe.values else values_of(argument)


def _of_class(name: str, recipe: Recipe) -> list[Case]:
    sets: list[Mapping[str, Any]] = [{}]
    if name not in ROWS and name not in DROPPED_IN_USE and name not in _HOLDING:
        return [_case(name, recipe, changes) for changes in (*sets, {"dtype": "mixed_float16"}, {"name": "odd name"})]
    known = _arguments(classes()[name])
    for argument in dict.fromkeys((*known, *_COMMON)):
        sets += [{argument: value} for value in _tried(name, argument, _values(recipe, argument) or ())]
    for ending in _TOGETHER:
        sets.append({each: value for each in known if each.endswith(ending) for value in values_of(each) or ()})
    sets += [each for each in recipe.also if set(each) <= set(known)]
    sets = [each for number, each in enumerate(sets) if each or number == 0]
    return [_case(name, recipe, changes) for changes in sets]


def _tried(name: str, argument: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """What of `values` is tried with the class: the long lists are gone through with a few classes only."""
    if argument.endswith(_TOGETHER):
        return ()
    if argument == "dtype" and name not in _ALL_POLICIES:
        return ("mixed_float16",)
    if argument == "name" and name != "Dense":
        return ()
    if argument.endswith("activation") and name not in _ALL_FUNCTIONS:
        return tuple(value for value in values if not isinstance(value, str) or value in _SOME_FUNCTIONS)
    return values


def _case(name: str, recipe: Recipe, changes: Mapping[str, Any]) -> Case:
    def make(image: Any) -> list[Any]:
        layer = classes()[name](**_fresh({**recipe.given, **changes}))
        return keras.tree.flatten(recipe.call(layer, reshaped(image, recipe.shape)))

    words = ", ".join(f"{key}={_shown(value)}" for key, value in changes.items())
    return Case(name, f"{name}({words})", make)


def _fresh(value: Any) -> Any:
    """Layers among arguments as new ones: a layer is built once."""
    if isinstance(value, dict):
        return {key: _fresh(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_fresh(part) for part in value]
    if isinstance(value, keras.layers.Layer):
        return type(value).from_config(value.get_config())
    return value


def _shown(value: Any) -> str:
    if isinstance(value, keras.layers.Layer):
        told = {key: part for key, part in value.get_config().items() if key in ("units", "activation", "cell")}
        return f"{type(value).__name__}{told or ''}"[:80]
    return "function" if inspect.isfunction(value) else repr(value)[:60]
