"""Checks that a signature is consistent: its ops, and the shapes from the raw sample to the labels.

Looked at when a manifest is read, before anything is computed. `RULES` has one row per family: which ops may stand
before and after the model, what a raw sample is, and what inputs and outputs must then be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.bundle import shapes
from dltk.edge.bundle.op_table import AFTER, BEFORE, LARGEST_SAMPLE, require_parameters
from dltk.edge.bundle.signature import Signature

__all__ = ["require_consistent", "require_raws"]


_IMAGE_OPS = ("decode", "resize", "reverse_channels", "scale", "standardize", "clip")
_ROW_OPS = ("columns", "standardize", "clip")
_WITHOUT_TABLES = ("generator",)  # families that read no table; of the others "table" may be a step
_TABLE_OPS = ("columns", "standardize", "bins", "clip", "vocabulary")
_MANY_TIMES = ("scale", "standardize", "clip")  # steps on tensors, each on what the one before gave
_MOST_CLASSES = 256  # of a mask: its pixels are bytes


@dataclass(frozen=True)
class Rule:
    """What holds in a family.

    Attributes:
        before, after: ops that may stand before and after the model.
        raw: what one raw sample is.
        inputs: input name -> its shape; None: one input of any name, of the shape that the ops make of a raw sample.
        outputs: raises InputError unless the outputs can be decoded.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    raw: Callable[[Signature], shapes.Raw]
    inputs: Callable[[Signature], Mapping[str, shapes.Shape]] | None
    outputs: Callable[[Signature], None]


def require_consistent(signature: Signature, where: str = "signature") -> None:
    """Raise InputError, with the place, unless each op has parameters of the right type and range and the shapes fit.

    From the raw sample through the ops to each input, and from the first output to the labels.
    """
    rule = RULES.get(signature.family)
    if rule is None:
        hint = did_you_mean(signature.family, RULES)
        raise InputError(f"{where}: family", "is not known to this version of dltk", signature.family, hint)
    before = rule.before if signature.family in _WITHOUT_TABLES else (*rule.before, "table")
    for key, allowed, table in (("preprocess", before, BEFORE), ("postprocess", rule.after, AFTER)):
        for op in getattr(signature, key):
            require_parameters(op, table, f"{where}: {key}")
            if op["op"] not in allowed:
                known = ", ".join(allowed) or "none"
                raise InputError(f"{where}: {key}", f"of the family {signature.family} may be {known}", op["op"])
        names = [op["op"] for op in getattr(signature, key) if op["op"] not in _MANY_TIMES]
        if len(set(names)) < len(names):  # only the first of two would be looked at
            raise InputError(f"{where}: {key}", "may hold each step once", names)
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


def _require_specs(signature: Signature) -> None:
    for key, specs in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        names = [spec.name for spec in specs]
        if not names or len(set(names)) < len(names):
            raise InputError(key, "must be at least one, with names that differ", names)
        strange = [name for name in names if not name.isprintable()]
        if strange:  # runtimes and TensorFlow log them as they are
            raise InputError(key, "must have printable names", strange)
        for spec in specs:
            if not 1 <= math.prod(spec.sample_shape) <= LARGEST_SAMPLE:
                rule = f"may have at most {LARGEST_SAMPLE} numbers per sample"
                raise InputError(f"{key}: {spec.name}", rule, spec.sample_shape)


def _require_inputs(signature: Signature, rule: Rule) -> None:
    _, raw = rule.raw(signature)
    if rule.inputs is not None:
        wanted = rule.inputs(signature)
    elif len(signature.inputs) == 1:
        wanted = {signature.inputs[0].name: shapes.tensor_shape(raw, signature.preprocess)}
    else:
        raise InputError("inputs", "must be one", [spec.name for spec in signature.inputs])
    for spec in signature.inputs:
        if spec.name not in wanted:
            raise InputError("inputs", f"must be {', '.join(wanted)}", spec.name)
        if spec.sample_shape != wanted[spec.name]:
            rule_ = f"must have the shape {wanted[spec.name]} that the steps before the model give"
            raise InputError(f"inputs: {spec.name}", rule_, spec.sample_shape)


# --- inputs that are not what the ops make of a raw sample alone


def _tokens(signature: Signature) -> dict[str, shapes.Shape]:
    spec = next((spec for spec in signature.inputs if spec.name == "tokens"), None)
    if spec is None or spec.dtype != "int32" or len(spec.sample_shape) != 1:
        raise InputError("inputs", "must be int32 tokens, and positions of their length or nothing")
    return {"tokens": spec.sample_shape, "positions": spec.sample_shape}


def _image_and_tokens(signature: Signature) -> dict[str, shapes.Shape]:
    resize = shapes.needed(signature, "resize")
    made = {"image": shapes.tensor_shape((resize["height"], resize["width"], 3), signature.preprocess)}
    has_tokens = any(spec.name == "tokens" for spec in signature.inputs)
    return made | ({"tokens": _tokens(signature)["tokens"]} if has_tokens else {})


def _columns(signature: Signature) -> dict[str, shapes.Shape]:
    dtype, _ = shapes.record(signature)
    found = {name: dtype[name].shape for name in dtype.names or ()}
    if "numbers" in found:
        found["numbers"] = shapes.tensor_shape(found["numbers"], signature.preprocess)
    return found


def _known(signature: Signature) -> dict[str, shapes.Shape]:
    length = shapes.needed(signature, "history")["length"]
    return {"user": (1,), "history": (length,), "weights": (length, 1)}


def _latent(signature: Signature) -> dict[str, shapes.Shape]:
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
        raise InputError("labels", f"must be {classes}, one per output", len(signature.labels))
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
    shapes.after(signature, "threshold")


def _restored(signature: Signature) -> None:
    _same(signature)
    if shapes.op_of(signature, "columns"):
        for key in ("mean", "std"):
            shapes.require_count(shapes.after(signature, "unstandardize"), key, len(shapes.names(signature)))
    else:
        shapes.after(signature, "to_uint8")


def _require_image_output(signature: Signature) -> None:
    shape = signature.outputs[0].sample_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(f"outputs: {signature.outputs[0].name}", "must be height, width and 1 or 3 channels", shape)


def _forecast(signature: Signature) -> None:
    columns = len(signature.labels or shapes.needed(signature, "window")["columns"])
    values = math.prod(signature.outputs[0].sample_shape)
    if values % columns:
        rule = f"must have one value per step for each of {columns} columns"
        raise InputError(f"outputs: {signature.outputs[0].name}", rule, signature.outputs[0].sample_shape)
    for op in signature.postprocess:
        for key in ("mean", "std", "low", "high"):
            if key in op:
                shapes.require_broadcast(op, key, (values // columns, columns), "postprocess")
        if op["op"] == "interval" and not np.shape(op["low"]) == np.shape(op["high"]) == (values // columns, columns):
            rule = f"low and high must have shape {(values // columns, columns)}"
            raise InputError("postprocess: interval", rule, f"{np.shape(op['low'])} and {np.shape(op['high'])}")
        if op["op"] == "interval" and (np.asarray(op["low"]) > np.asarray(op["high"])).any():
            raise InputError("postprocess: interval", "low must be at most high", dict(op))
        if op["op"] == "interval" and "season" in op and signature.inputs[0].sample_shape[-1] != columns:
            rule = "with a season, the model must forecast the columns of its window"
            raise InputError("postprocess: interval", rule, signature.inputs[0].sample_shape)


def _values(signature: Signature) -> None:
    count, targets = _vector(signature), shapes.needed(signature, "columns")["targets"]
    if len(targets) != count:
        raise InputError("preprocess: columns: targets", f"must be {count}, one per output", len(targets))
    for op in signature.postprocess:
        for key in ("mean", "std"):
            if key in op:
                shapes.require_broadcast(op, key, (count,), "postprocess")


def _row_of_numbers(signature: Signature) -> None:
    _vector(signature)


_SCORES = ("softmax", "sigmoid", "identity")
_TEXT_OPS = ("text", "tokenize")
_SOUND_OPS = ("sound", "peak", "log_mel", "decibel_mel", "standardize", "scale", "clip")
RULES: Mapping[str, Rule] = {
    "classification": Rule(_IMAGE_OPS, _SCORES, shapes.image, None, _labels),
    "segmentation": Rule(("masks", *_IMAGE_OPS), _SCORES, shapes.image, None, _mask),
    "series": Rule(
        ("window", "log", "standardize", "scale", "clip"), ("interval", "unstandardize", "exp"), shapes.window, None,
        _forecast,
    ),
    "generator": Rule(("normal",), ("to_uint8",), shapes.seed, _latent, _require_image_output),
    "anomaly": Rule((*_IMAGE_OPS, *_ROW_OPS), ("threshold",), shapes.image_or_row, None, _verdict),
    "restore": Rule(
        (*_IMAGE_OPS, *_ROW_OPS), ("to_uint8", "unstandardize", "noise"), shapes.image_or_row, None, _restored
    ),
    "embedding": Rule((*_IMAGE_OPS, *_ROW_OPS), ("noise",), shapes.image_or_row, None, _row_of_numbers),
    "audio": Rule(_SOUND_OPS, _SCORES, shapes.sound, None, _labels),
    "text": Rule(_TEXT_OPS, _SCORES, shapes.text, _tokens, _labels),
    "image-text": Rule((*_IMAGE_OPS, *_TEXT_OPS, "pairs"), _SCORES, shapes.pair, _image_and_tokens, _labels),
    "policy": Rule(("standardize", "scale", "clip"), (), shapes.observation, None, _row_of_numbers),
    "recommendation": Rule(("ratings", "history", "catalogue"), ("softmax",), shapes.history, _known, _row_of_numbers),
    "tabular": Rule(_TABLE_OPS, _SCORES, shapes.record, _columns, _labels),
    "tabular-values": Rule(_TABLE_OPS, ("unstandardize", "exp"), shapes.record, _columns, _values),
}  # fmt: skip
