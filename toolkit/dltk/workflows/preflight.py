"""What a command can refuse before TensorFlow is loaded and before any work: paths, packages, disk, missing data."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from dltk.base.disk import disk_fault, require_free_disk
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.install import pip_extra
from dltk.base.progress import Progress
from dltk.base.siblings import temporary_folder
from dltk.data.examples.write import EXAMPLES, take_example
from dltk.recipe import Recipe

__all__ = ["Ends", "default_source", "input_and_output_shape", "require_place", "require_training_packages"]

_LEAST = 10_000_000  # bytes: reports, figures and bookkeeping of any run or bundle
_PACKAGES = ("tensorflow", "keras", "tf_keras")
_NO_CHANGE = ("Activation", "Softmax", "Dropout", "ReLU")  # layers that keep the last axis

Ends = tuple[tuple[int | None, ...] | None, int | None]  # shape of the one input with its batch; size of the output


def require_place(path: Path | str, needed: int = 0) -> None:
    """Hold the place of what will be written at `path`: its parent, or the nearest folder that is there, takes it.

    Args:
        needed: bytes that will be written, by an estimate that is rather low.

    Raises:
        InputError: if `path` leads through a file, or its name cannot be.
        EnvironmentFault: if nothing may be written there, or the disk has less than `needed` (at least 10 MB) free.
    """
    place = Path(os.path.abspath(path)).parent
    try:
        while not os.path.lexists(place):
            place = place.parent
        if not place.is_dir():
            rule = "must be a path whose parent is a folder"
            raise InputError(path, rule, f"{place} is a file", "Give another path.")
        with temporary_folder(
            place
        ):  # asking for permissions tells little: a disk may be read-only, or a quota used up
            pass
    except OSError as fault:
        known = disk_fault(path, fault) or InputError(path, "must be a path that can be created", fault.strerror)
        raise known from fault
    require_free_disk(place, max(needed, _LEAST), hint="Free some space, or give a path on another disk.")


def require_training_packages() -> None:
    """Raise EnvironmentFault if what trains is not installed; nothing is imported to find out."""
    for name in _PACKAGES:
        if PathFinder.find_spec(name) is None:
            hint = f"Run `{pip_extra('train')}`."
            raise EnvironmentFault("tensorflow and keras", "must be installed to train", f"no package {name}", hint)


def default_source(recipe: Recipe, given: str | Path, run: Path, *, example: bool, progress: Progress) -> str:
    """The recipe's default data; if it has none, its example, which is written beside `run`.

    Runs in the same folder share the example, and compressing them reads it again.

    Args:
        given: the recipe as the user named it.
        example: whether the example may be used, as in a smoke run.

    Raises:
        InputError: if there is neither, or another folder is in the place of the example.
        EnvironmentFault: if the disk is full or not writable.
    """
    default, name = recipe.data.default, recipe.data.example
    if default:
        progress.log(f"data: {default}, because --data was not given")
        return default
    if name is None or not example:
        raise InputError("--data", "must be given", hint=_missing(recipe, given))
    folder = run.parent / f"example-{name}"
    data = take_example(name, folder)
    summary = EXAMPLES[name].summary
    progress.log(f"data: generated example in {folder}, because --data was not given: {summary}")
    return str(data)


def _missing(recipe: Recipe, given: str | Path) -> str:
    layout = recipe.data.layout
    hint = f"It is {layout.rstrip('.')}." if layout else ""
    if recipe.data.example:
        command = f"dltk recipes {shlex.quote(str(given))} --example {recipe.data.example}"
        hint += f" To try the recipe without data of your own, run `{command}`."
    return hint.strip()


def input_and_output_shape(config: Any) -> Ends:
    """Shape of the one input and size of the one output, as far as the configuration of a model has them."""
    layers = _layers(config)
    inputs = [each for each in layers if each.get("class_name") == "InputLayer"]
    shape = _shape(inputs[0] if inputs else layers[0]) if layers and len(inputs) <= 1 else None
    last: Mapping[str, Any] = next((each for each in reversed(layers) if each.get("class_name") not in _NO_CHANGE), {})
    units = _settings(last).get("units") if last.get("class_name") == "Dense" else None
    outputs = _settings(config).get("output_layers")
    one = not isinstance(outputs, list) or len(outputs) == 1 or not isinstance(outputs[0], list)
    return shape, units if isinstance(units, int) and one and _ends_with_last_layer(config, layers) else None


def _ends_with_last_layer(config: Any, layers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the model's output is that of its last layer: always so in a Sequential."""
    outputs = _settings(config).get("output_layers")
    if not isinstance(outputs, list):
        return True
    first = outputs[0] if outputs and isinstance(outputs[0], list) else outputs
    return bool(first) and first[0] == (layers[-1].get("name") or _settings(layers[-1]).get("name"))


def _layers(config: Any) -> list[Mapping[str, Any]]:
    found = _settings(config).get("layers")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _settings(item: Any) -> Mapping[str, Any]:
    inside = item.get("config") if isinstance(item, dict) else None
    return inside if isinstance(inside, dict) else {}


def _shape(layer: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    settings = _settings(layer)
    found = settings.get("batch_shape") or settings.get("batch_input_shape")
    whole = isinstance(found, list) and all(size is None or isinstance(size, int) for size in found)
    return tuple(found) if whole and isinstance(found, list) else None
