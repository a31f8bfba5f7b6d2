"""What a model takes and gives, and what happens to a sample before and to an output after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dltk.base.errors import InputError

__all__ = ["Op", "Signature", "TensorSpec"]

Op = Mapping[str, Any]  # {"op": name, setting: JSON value ...}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as the artifact and its user call it.
        dtype: NumPy's name, "float32" or "int32".
        shape: None stands for the batch, always first.
        axes: a name an axis, "batch" first.
        value_range: the lowest and highest value that may occur, or None where it is open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    axes: tuple[str, ...]
    value_range: tuple[float, float] | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch."""
        return tuple(size for size in self.shape[1:] if size is not None)

    @classmethod
    def from_dict(cls, found: Any, where: str) -> TensorSpec:
        """A spec out of parsed JSON; InputError names the key that does not fit."""
        _require_keys(found, {"name", "dtype", "shape", "axes", "value_range"}, where)
        shape, axes, value_range = found["shape"], found["axes"], found["value_range"]
        if not isinstance(found["name"], str) or found["dtype"] not in ("float32", "int32", "int8", "uint8"):
            raise InputError(where, "needs a name and a dtype", found)
        sizes_fit = isinstance(shape, list) and all(_is_size(size) for size in shape[1:]) and shape[:1] == [None]
        if not sizes_fit or not isinstance(axes, list) or len(axes) != len(shape):
            raise InputError(where, "shape must be null and then positive sizes, with a name an axis", found)
        if value_range is not None and not (isinstance(value_range, list) and len(value_range) == 2):
            raise InputError(where, "value_range must be null or two numbers", value_range)
        limits = None if value_range is None else (float(value_range[0]), float(value_range[1]))
        return cls(found["name"], found["dtype"], tuple(shape), tuple(map(str, axes)), limits)


@dataclass(frozen=True)
class Signature:
    """The device's view of a model: everything but its weights.

    Attributes:
        task, family: names; `dltk.edge.families` holds the family.
        inputs, outputs: in the order of the model.
        preprocess: raw sample -> input tensors, in order.
        postprocess: output tensors -> answers, in order.
        labels: one a class, or empty.
    """

    task: str
    family: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: tuple[Op, ...] = ()
    postprocess: tuple[Op, ...] = ()
    labels: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def with_postprocess(self, *ops: Op) -> Signature:
        """The same signature with other steps after the model."""
        return replace(self, postprocess=tuple(ops))

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Signature:
        """A signature out of parsed JSON; InputError names the key that does not fit."""
        _require_keys(found, {"task", "family", "inputs", "outputs", "preprocess", "postprocess", "labels"}, where)
        for key in ("inputs", "outputs", "preprocess", "postprocess", "labels"):
            if not isinstance(found[key], list):
                raise InputError(f"{where}: {key}", "must be a list", found[key])
        for key in ("preprocess", "postprocess"):
            for op in found[key]:
                if not isinstance(op, dict) or not isinstance(op.get("op"), str):
                    raise InputError(f"{where}: {key}", 'each step must be {"op": name, ...}', op)
        if not all(isinstance(label, str) for label in found["labels"]):
            raise InputError(f"{where}: labels", "must be texts", found["labels"])
        specs = {
            key: tuple(TensorSpec.from_dict(spec, f"{where}: {key}[{i}]") for i, spec in enumerate(found[key]))
            for key in ("inputs", "outputs")
        }
        return cls(
            str(found["task"]),
            str(found["family"]),
            specs["inputs"],
            specs["outputs"],
            tuple(found["preprocess"]),
            tuple(found["postprocess"]),
            tuple(found["labels"]),
        )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _require_keys(found: Any, keys: set[str], where: str) -> None:
    if not isinstance(found, dict) or set(found) != keys:
        received = sorted(found) if isinstance(found, dict) else found
        raise InputError(where, f"must have exactly the keys {', '.join(sorted(keys))}", received)
