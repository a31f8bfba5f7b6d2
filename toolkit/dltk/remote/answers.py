"""Checks that replies of another machine have the form of dltk's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["BENCH", "GREETING", "Form", "TIMES", "VALIDATION", "fits"]

Form = Mapping[str, Callable[[Any], bool]]  # key -> whether its value fits; more keys do no harm


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e300


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _maybe(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or form(value)


def _list(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= 1000 and all(form(item) for item in value)


def _object(form: Form) -> Callable[[Any], bool]:
    return lambda value: fits(value, form)


def fits(value: Any, form: Form) -> bool:
    """Whether `value` is an object with every key of `form`, each with a value that fits."""
    return isinstance(value, dict) and all(key in value and check(value[key]) for key, check in form.items())


_MACHINE: Form = {"cpu": _text, "architecture": _text, "instructions": _list(_text), "threads": _count}
GREETING: Form = {
    "python": _text,
    "numpy": lambda value: isinstance(value, bool),
    "machine": _object(_MACHINE),
    "runtimes": _list(_text),
}
TIMES: Form = {"p50": _number, "p90": _number, "p99": _number, "runs": _count}
_MEASURED: Form = {
    **dict.fromkeys(("p50_ms", "p90_ms", "p99_ms"), _number),
    **dict.fromkeys(("runs", "bytes", "download_bytes"), _count),
    **dict.fromkeys(("peak_bytes", "model_bytes"), _maybe(_count)),
    "delegated_share": _maybe(_number),
}
_NAMED: Form = {"file": _text, "format": _text, "precision": _text, "status": _text}


def _measured(value: Any) -> bool:
    return fits(value, _NAMED) and (value["status"] == "skipped" or fits(value, _MEASURED))


BENCH: Form = {"bundle": _text, "machine": _object(_MACHINE), "threads": _count, "artifacts": _list(_measured)}
VALIDATION: Form = {"samples": _count, "files": _count, "artifacts": _list(_object(_NAMED))}
