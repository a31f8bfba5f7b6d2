"""The figures of an evaluation, checked before anything is drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dltk.base.errors import InputError
from dltk.report.values import as_list, as_number, scalars
from dltk.training.evaluation.rows import HorizonRow, Means

__all__ = ["read_metrics"]

_COLUMNS = tuple(each.name for each in Means.columns())
_CALIBRATION = ("temperature", "expected_calibration_error", "expected_calibration_error_fitted")
_HORIZON = tuple(each.name for each in HorizonRow.columns())


def read_metrics(found: Any, where: object) -> dict[str, Any]:
    """The figures in `found`, as `training.report` wrote them, or those of training for families without targets.

    Single values are taken as they are; `top_k`, `calibration`, `classes`, `macro`, `confusion`, `roc`, `horizon`,
    `stretch`, `training`, `kept` and `baselines` must have their own form where they are there.

    Raises:
        InputError: naming the key that does not fit.
    """
    _require(isinstance(found, dict), where, "metrics", "a JSON object", found)
    kept: dict[str, Any] = scalars(found, depth=1)
    for name, check in _PARTS.items():
        if name in found:
            _require(check(found[name]), where, name, "as `dltk finetune` writes it", found[name])
            kept[name] = found[name]
    for name in ("samples", "accuracy", "exact_match", "mean_absolute_error", "root_mean_squared_error"):
        _require(name not in found or as_number(found[name]) is not None, where, name, "a number", found.get(name))
    _require("samples" in kept or "training" in kept, where, "samples", "there")
    if "baselines" in kept:
        named = kept["baselines"]["metric"]
        _require(
            as_number(found.get(named)) is not None, where, "baselines", f"of a figure that is there, not {named!r}"
        )
    classes = len(kept.get("classes", ()))
    _require("macro" in kept or not classes, where, "macro", "there, together with classes")
    for name in ("confusion", "roc"):
        _require(name not in kept or len(kept[name]) == classes, where, name, f"of {classes} classes")
    return kept


def _require(fits: bool, where: object, name: str, rule: str, received: Any = None) -> None:
    if not fits:
        raise InputError(f"{where}: {name}", f"must be {rule}", received)


def _numbers(value: Any, names: tuple[str, ...] | None = None, *, gaps: bool = False) -> bool:
    """Whether `value` maps names to numbers, `names` among them; with `gaps` None is one."""
    if not isinstance(value, dict):
        return False
    wanted = value.keys() if names is None else names
    return all(
        name in value and ((gaps and value[name] is None) or as_number(value[name]) is not None) for name in wanted
    )


def _all(value: Any, check: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(check, value))


def _is_class(value: Any) -> bool:
    return (
        _numbers(value, _COLUMNS, gaps=True) and _numbers(value, ("samples",)) and isinstance(value.get("label"), str)
    )


def _is_matrix(value: Any) -> bool:
    return _all(value, lambda row: _all(row, lambda cell: as_number(cell) is not None) and len(row) == len(value))


def _is_curve(value: Any) -> bool:
    return _all(value, lambda point: _is_point(point, 2))


def _is_bin(value: Any) -> bool:
    return _is_point(value, 3)


def _is_point(value: Any, parts: int) -> bool:
    return _all(value, lambda part: as_number(part) is not None) and len(value) == parts


def _is_baselines(value: Any) -> bool:
    """What others reach in the figure that it names: at least one row."""
    if not isinstance(value, dict) or not isinstance(value.get("metric"), str):
        return False
    rows, is_directed = value.get("rows"), isinstance(value.get("higher_is_better"), bool)
    return is_directed and bool(rows) and _all(rows, _is_baseline)


def _is_baseline(value: Any) -> bool:
    return _numbers(value, ("score",)) and isinstance(value.get("name"), str)


def _is_stretch(value: Any) -> bool:
    """A window, what came after it and what was forecast; low and high ends where there is an interval."""
    if not isinstance(value, dict) or not isinstance(value.get("column"), str):
        return False
    names = ("window", "wanted", "value", *(name for name in ("low", "high") if name in value))
    parts = [as_list(value.get(name)) for name in names]
    if not all(part and all(as_number(cell) is not None for cell in part) for part in parts):
        return False
    return len({len(part) for part in parts[1:]}) == 1 and ("low" in value) == ("high" in value)


def _is_kept(value: dict[str, Any]) -> bool:
    rest = {name: part for name, part in value.items() if name != "phase"}
    return _numbers(rest, ("epoch", "epochs")) and _numbers(rest)


_PARTS: Mapping[str, Callable[[Any], bool]] = {
    "top_k": _numbers,
    "calibration": lambda value: _numbers(value, _CALIBRATION) and _all(value.get("reliability", []), _is_bin),
    "classes": lambda value: _all(value, _is_class) and bool(value),
    "macro": lambda value: _numbers(value, _COLUMNS, gaps=True),
    "confusion": _is_matrix,
    "roc": lambda value: _all(value, _is_curve),
    "horizon": lambda value: _all(value, lambda row: _numbers(row, _HORIZON)),
    "stretch": _is_stretch,
    "training": lambda value: _numbers(value, gaps=True),
    "baselines": _is_baselines,
    "kept": lambda value: isinstance(value, dict) and isinstance(value.get("phase"), str) and _is_kept(value),
}
