"""Whether a signature can answer at all: its ops, and the shapes from the sample that is read to the labels.

Looked at when a manifest is read, before anything is computed. `RULES` has a row a family: which ops may stand before
and after the model, what a raw sample is, and what inputs and outputs must then be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.op_table import AFTER, BEFORE, LARGEST_SAMPLE, require_parameters
from dltk.edge.signature import Op, Signature
from dltk.edge.sound import frames_of

__all__ = ["require_consistent", "require_raws"]

Shape = tuple[int, ...]
Raw = tuple[np.dtype[Any], Shape]  # of one raw sample; of a text only the kind of the dtype is fixed

_IMAGE_OPS = ("decode", "resize", "reverse_channels", "scale", "standardize", "clip")
_ROW_OPS = ("columns", "standardize", "clip")
_MOST_CLASSES = 256  # of a mask: its pixels are bytes


@dataclass(frozen=True)
class Rule:
    """What holds in a family.

    Attributes:
        before, after: ops that may stand before and after the model.
        raw: what one raw sample is.
        inputs: input name -> its shape; None: one input of any name, of the shape that the ops make of a raw sample.
        outputs: raises InputError unless the outputs lead to answers.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    raw: Callable[[Signature], Raw]
    inputs: Callable[[Signature], Mapping[str, Shape]] | None
    outputs: Callable[[Signature], None]


def require_consistent(signature: Signature, where: str = "signature") -> None:
    """Raise InputError, saying where, unless each op has parameters of the right type and range and the shapes fit.

    From the raw sample through the ops to each input, and from the first output to the labels.
    """
    rule = RULES.get(signature.family)
    if rule is None:
        hint = did_you_mean(signature.family, RULES)
        raise InputError(f"{where}: family", "is not known to this version of dltk", signature.family, hint)
    for key, allowed, table in (("preprocess", rule.before, BEFORE), ("postprocess", rule.after, AFTER)):
        for op in getattr(signature, key):
            require_parameters(op, table, f"{where}: {key}")
            if op["op"] not in allowed:
                known = ", ".join(allowed) or "none"
                raise InputError(f"{where}: {key}", f"of the family {signature.family} may be {known}", op["op"])
    try:
        _require_specs(signature)
        _require_inputs(signature, rule)
        rule.outputs(signature)
    except InputError as fault:
        raise InputError(f"{where}: {fault.where}", fault.rule, fault.received, fault.hint) from fault


def require_raws(raws: np.ndarray[Any, Any], signature: Signature, where: object) -> None:
    """Raise InputError unless `raws` (n, ...) are raw samples of a consistent signature: dtype, and shape of each."""
    dtype, shape = RULES[signature.family].raw(signature)
    same = raws.dtype.kind == "S" if dtype.kind == "S" else raws.dtype == dtype
    if not same or raws.shape[1:] != shape:
        raise InputError(where, f"raw samples must be {dtype} of shape {shape}", f"{raws.dtype} {raws.shape[1:]}")


# --- shapes through the ops


def _tensor_shape(shape: Shape, ops: tuple[Op, ...]) -> Shape:
    """What ops on tensors make of a sample of `shape`; those that read samples are passed over."""
    for op in ops:
        name = op["op"]
        if name == "log_mel":
            try:
                shape = (frames_of(shape[0], op), int(op["bands"]), 1)
            except ValueError as fault:
                raise InputError("preprocess: log_mel", f"must fit {shape[0]} samples", dict(op)) from fault
        elif name == "clip" and not op["low"] < op["high"]:
            raise InputError("preprocess: clip", "low must be below high", dict(op))
        for key in ("multiply", "add", "mean", "std"):
            if key in op:
                _require_broadcast(op, key, shape, "preprocess")
    return shape


def _require_broadcast(op: Op, key: str, shape: Shape, before: str) -> None:
    """Raise InputError unless NumPy spreads the numbers at `key` over a sample of `shape`, and no further."""
    found = np.shape(op[key])
    try:
        same = np.broadcast_shapes(found, shape) == shape
    except ValueError:
        same = False
    if not same:
        raise InputError(f"{before}: {op['op']}: {key}", f"must fit samples of shape {shape}", f"numbers of {found}")


def _require_specs(signature: Signature) -> None:
    for key, specs in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        names = [spec.name for spec in specs]
        if not names or len(set(names)) < len(names):
            raise InputError(key, "must be at least one, with names that differ", names)
        for spec in specs:
            if not 1 <= math.prod(spec.sample_shape) <= LARGEST_SAMPLE:
                rule = f"may have at most {LARGEST_SAMPLE} numbers a sample"
                raise InputError(f"{key}: {spec.name}", rule, spec.sample_shape)


def _require_inputs(signature: Signature, rule: Rule) -> None:
    _, raw = rule.raw(signature)
    if rule.inputs is not None:
        wanted = rule.inputs(signature)
    elif len(signature.inputs) == 1:
        wanted = {signature.inputs[0].name: _tensor_shape(raw, signature.preprocess)}
    else:
        raise InputError("inputs", "must be one", [spec.name for spec in signature.inputs])
    for spec in signature.inputs:
        if spec.name not in wanted:
            raise InputError("inputs", f"must be {', '.join(wanted)}", spec.name)
        if spec.sample_shape != wanted[spec.name]:
            rule_ = f"must have the shape {wanted[spec.name]} that the steps before the model give"
            raise InputError(f"inputs: {spec.name}", rule_, spec.sample_shape)


# --- what a raw sample is


def _op(signature: Signature, name: str) -> Op | None:
    return next((op for op in (*signature.preprocess, *signature.postprocess) if op["op"] == name), None)


def _needed(signature: Signature, name: str) -> Op:
    found = _op(signature, name)
    if found is None:
        raise InputError("preprocess", f"needs a step {name!r}", [op["op"] for op in signature.preprocess])
    return found


def _image(signature: Signature) -> Raw:
    resize, mode = _op(signature, "resize"), (_op(signature, "decode") or {}).get("mode", "RGB")
    shape = next((spec.sample_shape for spec in signature.inputs if len(spec.sample_shape) == 3), None)
    if shape is None:
        raise InputError("inputs", "must be an image: height, width, channels", signature.inputs[0].sample_shape)
    height, width = shape[:2] if resize is None else (resize["height"], resize["width"])
    return np.dtype(np.uint8), (height, width, 3 if mode == "RGB" else 1)


def _row(signature: Signature) -> Raw:
    for key in ("mean", "std"):
        _require_count(_needed(signature, "standardize"), key, len(_names(signature)))
    return np.dtype(np.float32), (len(_names(signature)),)


def _names(signature: Signature) -> list[str]:
    found: list[str] = _needed(signature, "columns").get("names", [])
    if not found:
        raise InputError("preprocess: columns", "needs 'names'", dict(_needed(signature, "columns")))
    return found


def _image_or_row(signature: Signature) -> Raw:
    return _row(signature) if _op(signature, "columns") else _image(signature)


def _record(signature: Signature) -> Raw:
    op = _needed(signature, "columns")
    lists = [op.get(key) for key in ("numbers", "categories", "targets", "empty")]
    if any(found is None for found in lists) or "missing" not in op or not (op["numbers"] or op["categories"]):
        raise InputError("preprocess: columns", "must name numbers, categories, targets, empty and missing", dict(op))
    parts: list[Any] = [("numbers", np.float32, (len(op["numbers"]),))] if op["numbers"] else []
    parts += [("categories", np.int32, (len(op["categories"]),))] if op["categories"] else []
    return np.dtype(parts), ()


def _window(signature: Signature) -> Raw:
    op = _needed(signature, "window")
    return np.dtype(np.float32), (op["length"], len(op["columns"]))


def _sound(signature: Signature) -> Raw:
    return np.dtype(np.int16), (_needed(signature, "sound")["samples"],)


def _observation(signature: Signature) -> Raw:
    if len(signature.inputs[0].sample_shape) != 1:
        raise InputError("inputs", "must be a row of numbers", signature.inputs[0].sample_shape)
    return np.dtype(np.float32), signature.inputs[0].sample_shape


def _seed(signature: Signature) -> Raw:
    if [op["op"] for op in signature.preprocess] != ["normal"]:
        raise InputError("preprocess", "must be the one step 'normal'", [op["op"] for op in signature.preprocess])
    return np.dtype(np.int64), ()


def _text(signature: Signature) -> Raw:
    _needed(signature, "tokenize")
    return np.dtype(f"S{_needed(signature, 'text')['max_bytes']}"), ()


def _pair(signature: Signature) -> Raw:
    _, shape = _image(signature) if _op(signature, "resize") else (None, None)
    if shape is None:
        raise InputError("preprocess", "needs a step 'resize'", [op["op"] for op in signature.preprocess])
    return np.dtype([("image", np.uint8, shape), ("text", _text(signature)[0])]), ()


def _history(signature: Signature) -> Raw:
    for name in ("ratings", "catalogue"):
        _needed(signature, name)
    op = _needed(signature, "history")
    if not op["length"] <= op["kept"]:
        raise InputError("preprocess: history", "length must be at most what is kept", dict(op))
    return np.dtype([("user", np.int32), ("history", np.int32, (op["kept"],))]), ()


# --- inputs that are not what the ops make of a raw sample alone


def _tokens(signature: Signature) -> dict[str, Shape]:
    spec = next((spec for spec in signature.inputs if spec.name == "tokens"), None)
    if spec is None or spec.dtype != "int32" or len(spec.sample_shape) != 1:
        raise InputError("inputs", "must be int32 tokens, and positions of their length or nothing")
    return {"tokens": spec.sample_shape, "positions": spec.sample_shape}


def _image_and_tokens(signature: Signature) -> dict[str, Shape]:
    resize = _needed(signature, "resize")
    made = {"image": _tensor_shape((resize["height"], resize["width"], 3), signature.preprocess)}
    has_tokens = any(spec.name == "tokens" for spec in signature.inputs)
    return made | ({"tokens": _tokens(signature)["tokens"]} if has_tokens else {})


def _columns(signature: Signature) -> dict[str, Shape]:
    dtype, _ = _record(signature)
    found = {name: dtype[name].shape for name in dtype.names or ()}
    if "numbers" in found:
        _tensor_shape(found["numbers"], signature.preprocess)
    return found


def _known(signature: Signature) -> dict[str, Shape]:
    length = _needed(signature, "history")["length"]
    return {"user": (1,), "history": (length,), "weights": (length, 1)}


def _latent(signature: Signature) -> dict[str, Shape]:
    return {signature.inputs[0].name: tuple(signature.preprocess[0]["shape"])}


# --- outputs


def _vector(signature: Signature) -> int:
    """How many numbers the first output has, which must be a row."""
    shape = signature.outputs[0].sample_shape
    if len(shape) != 1:
        raise InputError(f"outputs: {signature.outputs[0].name}", "must be a row of numbers", shape)
    return shape[0]


def _require_labels(signature: Signature, classes: int) -> None:
    if signature.labels and len(signature.labels) != classes:
        raise InputError("labels", f"must be {classes}, one an output", len(signature.labels))
    if len(signature.postprocess) > 1:
        raise InputError("postprocess", "must be one step at most", [op["op"] for op in signature.postprocess])


def _labels(signature: Signature) -> None:
    _require_labels(signature, _vector(signature))


def _mask(signature: Signature) -> None:
    shape = signature.outputs[0].sample_shape
    if len(shape) != 3 or shape[-1] > _MOST_CLASSES or shape[:2] != signature.inputs[0].sample_shape[:2]:
        rule = f"must have the height and width of the input, and at most {_MOST_CLASSES} classes"
        raise InputError(f"outputs: {signature.outputs[0].name}", rule, shape)
    _require_labels(signature, shape[-1])


def _same(signature: Signature) -> None:
    if signature.outputs[0].sample_shape != signature.inputs[0].sample_shape:
        rule = f"must have the shape of the input, {signature.inputs[0].sample_shape}"
        raise InputError(f"outputs: {signature.outputs[0].name}", rule, signature.outputs[0].sample_shape)


def _verdict(signature: Signature) -> None:
    _same(signature)
    _after(signature, "threshold")


def _restored(signature: Signature) -> None:
    _same(signature)
    if _op(signature, "columns"):
        for key in ("mean", "std"):
            _require_count(_after(signature, "unstandardize"), key, len(_names(signature)))
    else:
        _after(signature, "to_uint8")


def _after(signature: Signature, name: str) -> Op:
    found = next((op for op in signature.postprocess if op["op"] == name), None)
    if found is None:
        raise InputError("postprocess", f"needs a step {name!r}", [op["op"] for op in signature.postprocess])
    return found


def _require_count(op: Op, key: str, count: int) -> None:
    if np.shape(op[key]) != (count,):
        raise InputError(f"step {op['op']}: {key}", f"must be {count} numbers", f"numbers of {np.shape(op[key])}")


def _picture(signature: Signature) -> None:
    shape = signature.outputs[0].sample_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(f"outputs: {signature.outputs[0].name}", "must be height, width and 1 or 3 channels", shape)


def _forecast(signature: Signature) -> None:
    columns = len(signature.labels or _needed(signature, "window")["columns"])
    values = math.prod(signature.outputs[0].sample_shape)
    if values % columns:
        rule = f"must have a value a step for each of {columns} columns"
        raise InputError(f"outputs: {signature.outputs[0].name}", rule, signature.outputs[0].sample_shape)
    for op in signature.postprocess:
        for key in ("mean", "std", "low", "high"):
            if key in op:
                _require_broadcast(op, key, (values // columns, columns), "postprocess")
        if op["op"] == "interval" and not np.shape(op["low"]) == np.shape(op["high"]) == (values // columns, columns):
            rule = f"low and high must have shape {(values // columns, columns)}"
            raise InputError("postprocess: interval", rule, f"{np.shape(op['low'])} and {np.shape(op['high'])}")


def _values(signature: Signature) -> None:
    count, targets = _vector(signature), _needed(signature, "columns")["targets"]
    if len(targets) != count:
        raise InputError("preprocess: columns: targets", f"must be {count}, one an output", len(targets))
    for op in signature.postprocess:
        for key in ("mean", "std"):
            if key in op:
                _require_broadcast(op, key, (count,), "postprocess")


def _row_of_numbers(signature: Signature) -> None:
    _vector(signature)


_SCORES = ("softmax", "sigmoid", "identity")
_TEXT_OPS = ("text", "tokenize")
RULES: Mapping[str, Rule] = {
    "classification": Rule(_IMAGE_OPS, _SCORES, _image, None, _labels),
    "segmentation": Rule(_IMAGE_OPS, _SCORES, _image, None, _mask),
    "series": Rule(
        ("window", "log", "standardize", "scale", "clip"), ("interval", "unstandardize", "exp"), _window, None,
        _forecast,
    ),
    "generator": Rule(("normal",), ("to_uint8",), _seed, _latent, _picture),
    "anomaly": Rule((*_IMAGE_OPS, *_ROW_OPS), ("threshold",), _image_or_row, None, _verdict),
    "restore": Rule(
        (*_IMAGE_OPS, *_ROW_OPS), ("to_uint8", "unstandardize", "noise"), _image_or_row, None, _restored
    ),
    "embedding": Rule((*_IMAGE_OPS, *_ROW_OPS), ("noise",), _image_or_row, None, _row_of_numbers),
    "audio": Rule(("sound", "peak", "log_mel", "standardize", "scale", "clip"), _SCORES, _sound, None, _labels),
    "text": Rule(_TEXT_OPS, _SCORES, _text, _tokens, _labels),
    "image-text": Rule((*_IMAGE_OPS, *_TEXT_OPS), _SCORES, _pair, _image_and_tokens, _labels),
    "policy": Rule(("standardize", "scale", "clip"), (), _observation, None, _row_of_numbers),
    "recommendation": Rule(("ratings", "history", "catalogue"), ("softmax",), _history, _known, _row_of_numbers),
    "tabular": Rule(("columns", "standardize", "clip", "vocabulary"), _SCORES, _record, _columns, _labels),
    "tabular-values": Rule(
        ("columns", "standardize", "clip", "vocabulary"), ("unstandardize", "exp"), _record, _columns, _values
    ),
}  # fmt: skip
