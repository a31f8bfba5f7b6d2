"""Every op that a signature may hold, and its parameters by type and range: one row an op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError, did_you_mean, shorten

__all__ = [
    "AFTER",
    "BEFORE",
    "DATE_ORDERS",
    "DATE_PARTS",
    "DECIMALS",
    "ENCODINGS",
    "HEADERS",
    "LARGEST_SAMPLE",
    "SEPARATORS",
    "SIGNS",
    "Parameter",
    "require_parameters",
]

DATE_PARTS = {"year": 1, "season": 2, "weekday": 2, "hour": 2}  # numbers that each part of a date becomes
DATE_ORDERS = ("year-first", "day-first", "month-first")
SIGNS = ("%", "$", "€", "£", "¥")  # that numbers may be written with
LARGEST_SAMPLE = 1 << 24  # numbers in one sample of any tensor: a 2,048 x 2,048 image has 12.6 million
_LARGEST = 3.4e38  # of a number: float32 ends there

# How a table may be written: what `dltk.edge.sources.tables` reads.
SEPARATORS = (",", ";", "tab", "|", "::", "space")
HEADERS = ("first", "none")
DECIMALS = (".", ",")
ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254",
    "iso8859-2", "iso8859-15", "koi8-r", "mac-roman", "shift-jis", "euc-jp", "euc-kr", "gb18030", "big5",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """What may stand at a key of an op.

    Attributes:
        rule: what it must be, for an error.
        fits: whether a JSON value is that.
        needed: whether it must be there.
    """

    rule: str
    fits: Callable[[Any], bool]
    needed: bool = True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_numbers(value: Any, low: float, depth: int = 3) -> bool:
    if isinstance(value, list):
        return (
            depth > 0 and bool(value) and _is_even(value) and all(_is_numbers(item, low, depth - 1) for item in value)
        )
    return _is_number(value) and value > low


def _is_even(values: list[Any]) -> bool:
    """Whether rows have one length: all of them numbers, or all of them lists of as many."""
    return len({len(item) if isinstance(item, list) else -1 for item in values}) == 1


def _whole(low: int, high: int, *, needed: bool = True) -> Parameter:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Parameter(f"must be a whole number from {low} to {high}", fits, needed)


def _number(low: float = -_LARGEST, high: float = _LARGEST, *, needed: bool = True) -> Parameter:
    words = "must be a finite number" if (low, high) == (-_LARGEST, _LARGEST) else f"must lie from {low:g} to {high:g}"
    return Parameter(words, lambda value: _is_number(value) and low <= value <= high, needed)


def _over_zero() -> Parameter:
    return Parameter("must be a finite number above 0", lambda value: _is_number(value) and value > 0)


def _one_of(*words: str, needed: bool = True) -> Parameter:
    return Parameter(f"must be {' or '.join(words)}", lambda value: isinstance(value, str) and value in words, needed)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_columns(value: Any) -> bool:
    return _is_texts(value) and bool(value) and len(set(value)) == len(value)


def _is_time(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or set(value) - {"dates"} != {"column", "unit", "size"}:
        return False
    column, unit, dates = value["column"], value["unit"], value.get("dates", "day-first")
    is_named = isinstance(column, str) or (_is_columns(column) and len(column) == 2)  # a date and a time of day
    is_read = unit in ("month", "second", "weekday", "number") and dates in ("day-first", "month-first", "year-first")
    return is_named and is_read and _is_number(value["size"]) and value["size"] >= 0


def _is_dates(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(date, dict) for date in value):
        return False
    if any(set(date) != {"column", "order", "parts"} for date in value):
        return False
    named = _is_columns([date["column"] for date in value])
    ordered = all(date["order"] in DATE_ORDERS for date in value)
    return (
        named
        and ordered
        and all(_is_columns(date["parts"]) and set(date["parts"]) <= set(DATE_PARTS) for date in value)
    )


def _is_signs(value: Any) -> bool:
    if not isinstance(value, list) or not all(_is_texts(pair) and len(pair) == 2 for pair in value):
        return False
    return _is_columns([name for name, _ in value]) and all(sign in SIGNS for _, sign in value)


def _is_pairs(value: Any) -> bool:
    if not isinstance(value, list) or not 0 < len(value) <= 512:
        return False
    limits = (1 << 24, 256)
    pairs = [row for row in value if isinstance(row, list) and len(row) == len(limits)]
    whole = all(
        type(each) is int and 0 <= each < limit for row in pairs for each, limit in zip(row, limits, strict=True)
    )
    return whole and len(pairs) == len(value) and len({row[0] for row in pairs}) == len(pairs)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")


def _is_row(value: Any, low: float) -> bool:
    return isinstance(value, list) and 0 < len(value) <= LARGEST_SAMPLE and _is_numbers(value, low, 1)


def _is_places(value: Any) -> bool:
    return _is_row(value, -1.0) and all(isinstance(item, int) for item in value)


_NUMBERS = Parameter("must be a finite number, or lists of such", lambda value: _is_numbers(value, -_LARGEST * 2))
_DEVIATIONS = Parameter("must be a finite number above 0, or lists of such", lambda value: _is_numbers(value, 0.0))
_TEXT = Parameter("must be a text", lambda value: isinstance(value, str))
_MAYBE_TEXT = Parameter("must be a text or null", lambda value: value is None or isinstance(value, str))
_TEXTS = Parameter("must be a list of texts", _is_texts)
_NAMES = Parameter("must be a list of texts that differ", _is_columns, needed=False)
_OPTIONAL_TEXT = Parameter(_MAYBE_TEXT.rule, _MAYBE_TEXT.fits, needed=False)
_FILE = {"file": _TEXT, "sha256": Parameter("must be 64 hexadecimal digits", _is_digest)}
_MOMENTS = {"mean": _NUMBERS, "std": _DEVIATIONS}
_SHARE = _number(0, 1, needed=False)
_PAIRS = Parameter("must be up to 512 pairs of a value and a class 0..255", _is_pairs)
_SIZES = Parameter(
    "must be up to 4 sizes",
    lambda value: (
        isinstance(value, list)
        and 0 < len(value) <= 4
        and all(isinstance(size, int) and not isinstance(size, bool) and 0 < size <= LARGEST_SAMPLE for size in value)
    ),
)
_ROW = Parameter("must be a list of finite numbers", lambda value: _is_row(value, -_LARGEST * 2))
_WIDTHS = Parameter("must be a list of finite numbers above 0", lambda value: _is_row(value, 0.0))
_PLACES = Parameter("must be a list of whole numbers from 0", _is_places)

BEFORE: Mapping[str, Mapping[str, Parameter]] = {
    # Which number or colour in a mask is which class, 255 for none: for data to be scored on.
    "masks": {"by": _one_of("number", "colour"), "classes": _PAIRS},
    # A bundle may lower the cap on pixels; a larger number than the reader's own cap changes nothing.
    "decode": {"mode": _one_of("RGB", "L", needed=False), "max_pixels": _whole(1, 2**63, needed=False)},
    "resize": {
        "height": _whole(1, 8192), "width": _whole(1, 8192), "method": _one_of("bilinear", needed=False),
        "fit": _one_of("stretch", "crop", "pad", "keep", needed=False),
    },
    "scale": {"multiply": _NUMBERS, "add": _NUMBERS},
    "reverse_channels": {},
    "standardize": _MOMENTS,
    "log": {},
    "bins": {"column": _PLACES, "low": _ROW, "width": _WIDTHS},
    "clip": {"low": _number(), "high": _number()},
    "normal": {"shape": _SIZES},
    "sound": {
        "rate": _whole(1_000, 384_000), "samples": _whole(1, 4_000_000),
        "part": _one_of("start", "loudest", needed=False), "place": _one_of("start", "middle", needed=False),
    },
    "peak": {},
    "log_mel": {
        "rate": _whole(1_000, 384_000), "frame": _whole(1, 1 << 15), "hop": _whole(1, 4_000_000),
        "fft": _whole(2, 1 << 15), "bands": _whole(1, 512), "low": _number(), "high": _number(), "floor": _over_zero(),
    },
    "table": {
        "separator": _one_of(*SEPARATORS, needed=False), "encoding": _one_of(*ENCODINGS, needed=False),
        "header": _one_of(*HEADERS, needed=False), "decimal": _one_of(*DECIMALS, needed=False), "names": _NAMES,
        "sheet": _OPTIONAL_TEXT, "grouped": Parameter("must be true", lambda value: value is True, needed=False),
    },
    "decibel_mel": {
        "rate": _whole(1_000, 384_000), "frame": _whole(1, 1 << 15), "window": _whole(1, 1 << 15),
        "hop": _whole(1, 4_000_000), "fft": _whole(2, 1 << 15), "bands": _whole(1, 512), "low": _number(),
        "high": _number(), "floor": _over_zero(), "range": _over_zero(),
    },
    "window": {
        "length": _whole(1, LARGEST_SAMPLE), "columns": Parameter(_NAMES.rule, _is_columns),
        "time": Parameter("must be null, or a column, a unit and a size", _is_time, needed=False),
        "gaps": _one_of("refuse", "fill", "interpolate", "rows", needed=False), "series": _NAMES,
        "missing": Parameter(_TEXTS.rule, _is_texts, needed=False),
    },
    "columns": {
        "names": _NAMES, **{key: Parameter(_TEXTS.rule, _is_texts, needed=False) for key in
                            ("numbers", "categories", "targets", "empty")},
        "missing": _one_of("error", "mean", needed=False),
        "dates": Parameter("must be a list of a column, an order and parts each", _is_dates, needed=False),
        "marked": _NAMES, "signs": Parameter("must be a list of a column and a sign each", _is_signs, needed=False),
        "unlabelled": _one_of("error", "drop", needed=False), "rest": _one_of("error", "drop", "other", needed=False),
    },
    "text": {"max_bytes": _whole(1, 1_000_000), "column": _OPTIONAL_TEXT, "label": _OPTIONAL_TEXT},
    "pairs": {"path": _TEXT, "text": _TEXT, "label": _TEXT, "folder": _TEXT, "suffix": _TEXT},
    "tokenize": _FILE,
    "vocabulary": _FILE,
    "catalogue": _FILE,
    "ratings": {
        "user": _TEXT, "item": _TEXT, "rating": _MAYBE_TEXT, "time": _MAYBE_TEXT, "lowest": _number(),
        "highest": _number(), "liked": _number(), "feedback": _one_of("ratings", "counts", needed=False),
        "order": _one_of("rows", "drawn", needed=False), "empty": _one_of("refuse", "drop", needed=False),
    },
    "history": {"length": _whole(1, 10_000_000), "half_life": _number(0), "kept": _whole(1, 10_000_000)},
}  # fmt: skip
AFTER: Mapping[str, Mapping[str, Parameter]] = {
    "softmax": {"temperature": _number(1e-3, 1e3, needed=False)},
    "sigmoid": {"threshold": _SHARE},
    "identity": {"threshold": _SHARE},
    "unstandardize": _MOMENTS,
    "exp": {},
    "interval": {
        "level": _SHARE,
        "low": _NUMBERS,
        "high": _NUMBERS,
        "season": _whole(1, LARGEST_SAMPLE, needed=False),
    },
    "to_uint8": {"multiply": _number(), "add": _number()},
    "threshold": {"at": _number(), "quantile": _SHARE, "normal": _OPTIONAL_TEXT, "label": _OPTIONAL_TEXT},
    "noise": {"deviation": _number(0)},
}


def require_parameters(op: Mapping[str, Any], table: Mapping[str, Mapping[str, Parameter]], where: str) -> None:
    """Raise InputError unless `op` stands in `table`, with the parameters that it has there and no other."""
    name = op["op"]
    if name not in table:
        raise InputError(
            f"{where}: {shorten(name)}", "is not known to this version of dltk", hint=did_you_mean(name, table)
        )
    parameters = table[name]
    strange = sorted(set(op) - set(parameters) - {"op"})
    if strange:
        raise InputError(
            f"{where}: {name}", "has an unknown parameter", strange[0], did_you_mean(strange[0], parameters)
        )
    for key, parameter in parameters.items():
        if key not in op:
            if parameter.needed:
                raise InputError(f"{where}: {name}", f"needs {key!r}", dict(op))
        elif not parameter.fits(op[key]):
            raise InputError(f"{where}: {name}: {key}", parameter.rule, op[key])
