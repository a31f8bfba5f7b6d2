"""What a model takes and gives, and what happens to a sample before and to an output after."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import sha256

__all__ = ["LONGEST_NAME", "Op", "Signature", "TensorSpec", "require_plain_name"]

LONGEST_NAME = 200  # bytes of UTF-8

Op = Mapping[str, Any]  # {"op": name, setting: JSON value ...}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as the artifact and its user call it.
        dtype: NumPy's name, "float32" or "int32".
        shape: None stands for the batch, always first.
        axes: one name per axis, "batch" first.
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
        """A spec out of parsed JSON.

        Raises:
            InputError: naming the key that does not fit.
        """
        _require_keys(found, {"name", "dtype", "shape", "axes", "value_range"}, where)
        shape, axes, value_range = found["shape"], found["axes"], found["value_range"]
        if not isinstance(found["name"], str) or found["dtype"] not in ("float32", "int32", "int8", "uint8"):
            raise InputError(where, "needs a name and a dtype", found)
        sizes_fit = isinstance(shape, list) and all(_is_size(size) for size in shape[1:]) and shape[:1] == [None]
        if not sizes_fit or not isinstance(axes, list) or len(axes) != len(shape):
            raise InputError(where, "shape must be null and then positive sizes, with one name per axis", found)
        if value_range is not None and not _is_range(value_range):
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
        postprocess: output tensors -> predictions, in order.
        labels: one per class, or empty.
        assets: file name -> bytes of what the steps read beside the model, such as a tokenizer. A step that reads one
            names it as "file" and gives its hash as "sha256". They travel as files, not in `as_dict`.
    """

    task: str
    family: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: tuple[Op, ...] = ()
    postprocess: tuple[Op, ...] = ()
    labels: tuple[str, ...] = ()
    assets: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: all but the assets."""
        found = asdict(replace(self, assets={}))
        del found["assets"]
        return found

    @property
    def asset_names(self) -> tuple[str, ...]:
        """Names of the files that the steps read."""
        named = (op["file"] for op in (*self.preprocess, *self.postprocess) if "file" in op)
        return tuple(dict.fromkeys(named))

    def with_assets(self, read: Callable[[str], bytes]) -> Signature:
        """The same signature with the assets it names, each as `read(name)` gives it.

        Raises:
            InputError: if the bytes are not those a step was made with.
        """
        found = {name: read(name) for name in self.asset_names}
        for op in (*self.preprocess, *self.postprocess):
            if "file" in op and sha256(found[op["file"]]) != op.get("sha256"):
                rule = f"must have SHA-256 {op.get('sha256')}, as given in step {op['op']!r}"
                raise InputError(op["file"], rule, sha256(found[op["file"]]))
        return replace(self, assets=found)

    def step(self, name: str) -> Op:
        """The step `name` before the model.

        Raises:
            InputError: if there is none.
        """
        for op in self.preprocess:
            if op["op"] == name:
                return op
        raise InputError("preprocess", f"needs a step {name!r}", [op["op"] for op in self.preprocess])

    def asset(self, step: str) -> tuple[str, bytes]:
        """Name and bytes of the file that the step `step` before the model names.

        Raises:
            InputError: if there is no such step, or it names no file of the bundle.
        """
        name = self.step(step).get("file")
        if not isinstance(name, str) or name not in self.assets:
            raise InputError(f"preprocess: {step}", "must name a file of the bundle", name)
        return name, self.assets[name]

    def with_postprocess(self, *ops: Op) -> Signature:
        """The same signature with other steps after the model."""
        return replace(self, postprocess=tuple(ops))

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Signature:
        """A signature out of parsed JSON.

        Raises:
            InputError: naming the key that does not fit.
        """
        _require_keys(found, {"task", "family", "inputs", "outputs", "preprocess", "postprocess", "labels"}, where)
        for key in ("inputs", "outputs", "preprocess", "postprocess", "labels"):
            if not isinstance(found[key], list):
                raise InputError(f"{where}: {key}", "must be a list", found[key])
        for key in ("preprocess", "postprocess"):
            for op in found[key]:
                if not isinstance(op, dict) or not isinstance(op.get("op"), str):
                    raise InputError(f"{where}: {key}", 'each step must be {"op": name, ...}', op)
                if "file" in op:
                    require_plain_name(op["file"], f"{where}: {key}: file")
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


def require_plain_name(name: Any, place: str) -> None:
    """Raise InputError at `place` unless `name` is a file name that every system takes and no path."""
    fits = isinstance(name, str) and 0 < len(name.encode()) <= LONGEST_NAME
    fits = fits and not name.startswith(".") and not set(name) & set('/\\:*?"<>|')
    controls = fits and any(unicodedata.category(letter).startswith("C") for letter in name)
    if not fits or controls or unicodedata.normalize("NFC", name) != name:
        raise InputError(place, "must be a plain file name: no folder, leading dot, control character or denormal text")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_range(value: object) -> bool:
    """Whether these are two numbers that a float can hold: JSON has whole numbers of any length."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(isinstance(end, (int, float)) and not isinstance(end, bool) and abs(end) < 1e300 for end in value)


def _require_keys(found: Any, keys: set[str], where: str) -> None:
    if not isinstance(found, dict) or set(found) != keys:
        received = sorted(found) if isinstance(found, dict) else found
        raise InputError(where, f"must have exactly the keys {', '.join(sorted(keys))}", received)
