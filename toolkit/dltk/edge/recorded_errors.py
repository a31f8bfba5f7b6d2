"""The limit of a replay: the error of each golden sample against the reference at export, and a margin.

`export`, `validate`, `run.pyz` and the demo page (`held` in answers.js) decide by the same rule: no golden sample may
lie farther from the reference than it did then, plus the margin. Distances are in units that are stated for each
output, and no figure is a mean over samples: what holds for all of them holds for any few.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError

__all__ = ["GOLDEN_ERROR", "KEY", "RecordedErrors", "distances", "check_replay", "record_errors"]

KEY = "golden"  # in an artifact's parity
GOLDEN_ERROR = "golden_error"  # the measure that `check_replay` names

Outputs = Mapping[str, NDArray[Any]]

# Margins in units. Every one is at least what `make devices` finds on other processors and runtimes.
_FLOAT32 = 1e-5  # of max(1, largest output)
_FLOAT16 = 1e-3  # the same: half precision has steps of 9.8e-4, and some processors compute in it
_STEPS = 4.0  # of the output's grid, or 1/255 of its range
_SHARE = 0.5  # of the largest error that quantization itself makes
_WHY = {
    "float32": "other processors and runtimes add in another order",
    "float16": "other processors and runtimes add in another order, some of them in half precision",
    "integer": "other processors and runtimes round elsewhere inside: up to 4 steps of the output, or half of the "
    "largest error of the file itself where that is more",
}


@dataclass(frozen=True)
class RecordedErrors:
    """What was measured on the golden samples of one artifact.

    Attributes:
        unit: output name -> what one unit is worth: a quantization step, or max(1, largest output) of float files.
        errors: for each golden sample the largest difference from the reference, in units, over all outputs.
        margin: units that a replay may lie farther off.
        why: what the margin is for.
    """

    unit: Mapping[str, float]
    errors: tuple[float, ...]
    margin: float
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the manifest's `parity` under "golden"."""
        return {"unit": dict(self.unit), "errors": list(self.errors), "margin": self.margin, "why": self.why}

    @classmethod
    def from_dict(cls, found: Any, names: list[str], count: int, where: object) -> RecordedErrors:
        """Parse it from an untrusted manifest.

        Args:
            names: of the outputs.
            count: golden samples that the bundle has.

        Raises:
            InputError: naming the key that does not fit.
        """
        place = f"{where}: parity: {KEY}"
        if not isinstance(found, Mapping) or set(found) != {"unit", "errors", "margin", "why"}:
            raise InputError(place, "must hold unit, errors, margin and why", found)
        unit, errors = found["unit"], found["errors"]
        if not isinstance(unit, Mapping) or set(unit) != set(names) or not all(_number(each) for each in unit.values()):
            raise InputError(f"{place}: unit", f"must be a number above 0 for each of {', '.join(names)}", unit)
        if any(float(each) <= 0 for each in unit.values()):
            raise InputError(f"{place}: unit", "must be above 0", dict(unit))
        if not isinstance(errors, list) or len(errors) != count or not all(map(_number, errors)):
            raise InputError(f"{place}: errors", f"must be {count} numbers from 0, one a golden sample", errors)
        if not _number(found["margin"]) or not isinstance(found["why"], str):
            raise InputError(f"{place}: margin", "must be a number from 0, and why a text", found["margin"])
        units = {name: float(unit[name]) for name in names}
        return cls(units, tuple(map(float, errors)), float(found["margin"]), found["why"])


def record_errors(
    reference: Outputs,
    outputs: Outputs,
    *,
    precision: str,
    steps: Mapping[str, float | None],
    largest: float = 0.0,
    tolerance: float = 0.0,
) -> RecordedErrors:
    """What to hold replays to, from one run on the golden samples, both name -> (n, ...).

    Args:
        steps: output name -> its quantization step; None, or left out, where it is not on a grid.
        largest: the largest difference from the reference, in units, on all samples that the file was evaluated on.
        tolerance: what the gate allows a float32 file, x max(1, largest output), where that is more than the margin.
    """
    unit, kind = {}, precision if precision in _WHY else "integer"
    for name, wanted in reference.items():
        if kind == "integer":
            unit[name] = float(steps.get(name) or np.ptp(outputs[name]) / 255 or 1 / 255)
        else:
            unit[name] = max(1.0, float(np.abs(wanted).max()))
    errors = distances(reference, outputs, unit)
    margin = {"float32": max(_FLOAT32, tolerance), "float16": _FLOAT16}.get(kind)
    if margin is None:
        margin = max(_STEPS, _SHARE * max(largest, float(errors.max())))
    return RecordedErrors(unit, tuple(_short(error) for error in errors), _short(margin), _WHY[kind])


def distances(reference: Outputs, outputs: Outputs, unit: Mapping[str, float]) -> NDArray[np.float64]:
    """For each sample the largest difference of any output, in units (n,); NaN where a number is none."""
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for name, worth in unit.items():
            apart = np.abs(np.asarray(outputs[name], np.float64) - np.asarray(reference[name], np.float64)) / worth
            found.append(apart.reshape(len(apart), -1).max(axis=1))
        return np.asarray(np.max(found, axis=0))


def check_replay(known: RecordedErrors, reference: Outputs, outputs: Outputs) -> dict[str, Any]:
    """The verdict about a replay, both name -> (n, ...): its worst sample speaks for all.

    Returns:
        {"measure": "golden_error", "sample" (its number, from 1), "error", "recorded", "tolerance" (the margin),
        "limit", "in_steps" (whether a unit is a quantization step, or 1/255 of the range), "passed"}; errors are in
        units.
    """
    errors, limits = distances(reference, outputs, known.unit), np.asarray(known.errors) + known.margin
    worst = int(np.argmax(errors - limits))  # of NaN the first
    return {
        "measure": GOLDEN_ERROR,
        "sample": worst + 1,
        "error": float(errors[worst]),
        "recorded": known.errors[worst],
        "tolerance": known.margin,
        "limit": float(limits[worst]),
        "in_steps": known.why == _WHY["integer"],
        "passed": bool((errors <= limits).all()),
    }


def _number(value: Any) -> bool:
    """A finite number from 0 that a float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return False
    return math.isfinite(value) if isinstance(value, float) else value < 10**300


def _short(value: float) -> float:
    return float(f"{value:.6g}")
