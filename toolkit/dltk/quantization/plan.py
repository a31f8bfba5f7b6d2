"""The quantization plan of a run: a scale and a zero point a tensor, or "float" with a reason. dltk owns the numbers.

Kept in `quantization.npz`. Activations are asymmetric with one range per tensor, weights symmetric with one scale per
output channel, as the TFLite quantization specification has it; ONNX gets the same numbers as uint8 (zero point = int8
+ 128).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, read_capped
from dltk.edge.bundle.arrays import parse_npz, save_npz

__all__ = ["Affine8", "Grid", "Precision", "QuantizationPlan", "Symmetric16", "affine8", "symmetric16"]

Precision = Literal["int8", "int16x8", "float16", "dynamic"]  # those of `PRECISIONS` that a plan decides
Ranges = Literal["shared", "native", "none"]
_FORMAT = 1
_LIMIT = 512_000_000


@dataclass(frozen=True)
class Affine8:
    """real = scale * (q - zero_point), with q in 0..255."""

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """The real value of q = 0."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """The real value of q = 255."""
        return (255 - self.zero_point) * self.scale


@dataclass(frozen=True)
class Symmetric16:
    """real = scale * q, with q in -32768..32767."""

    scale: float
    zero_point: int = 0

    @property
    def low(self) -> float:
        """The real value of q = -32768."""
        return -32768 * self.scale

    @property
    def high(self) -> float:
        """The real value of q = 32767."""
        return 32767 * self.scale


Grid = Affine8 | Symmetric16


def affine8(low: float, high: float) -> Affine8:
    """The 8-bit grid over `low`..`high`, moved so that zero lies on it exactly (padding must stay zero)."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = float(np.float32(max(high - low, 1e-8) / 255.0))
    return Affine8(scale, int(np.clip(round(-low / scale), 0, 255)))


def symmetric16(low: float, high: float) -> Symmetric16:
    """The 16-bit grid, symmetric around zero, that covers `low`..`high`."""
    return Symmetric16(float(np.float32(max(abs(float(low)), abs(float(high)), 1e-8) / 32767.0)))


@dataclass(frozen=True)
class QuantizationPlan:
    """What export needs to emit a quantized file, with no data present.

    Attributes:
        precision: "int8", "int16x8" (activations x weights), "float16" or "dynamic".
        ranges: "shared" where both formats follow this plan; "native" where each tool calibrates for itself on
            `samples`; "none" where no ranges are needed.
        tensors: graph tensor -> its grid.
        borders: inputs and outputs of the graph that only float layers touch -> their grids; for files whose borders
            are integers, no other has them.
        weights: graph layer -> scales (channels,) of its kernel, or (1,) where it has one for all.
        floats: graph layer -> why it stays float.
        levels: steps of a weight above and below zero: 127, or 63 for 7-bit weights.
        per_tensor_dense: whether a Dense layer has one scale for its whole kernel.
        calibration: how the ranges came about: method, samples, digest of the samples.
        factors, shifts: the bias correction that the ranges were measured with, (channels,) each; see
            `dltk.quantization.bias_correction`.
        samples: input tensors (n, ...), kept only for native ranges.
    """

    precision: Precision
    ranges: Ranges = "none"
    tensors: Mapping[str, Grid] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    floats: Mapping[str, str] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    shifts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    samples: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    borders: Mapping[str, Grid] = field(default_factory=dict)
    levels: int = 127
    per_tensor_dense: bool = False

    def save(self, path: Path) -> None:
        """Write the plan, atomically; equal plans give equal bytes."""
        meta = {
            "format": _FORMAT,
            "precision": self.precision,
            "ranges": self.ranges,
            "tensors": {name: [grid.scale, grid.zero_point] for name, grid in self.tensors.items()},
            "borders": {name: [grid.scale, grid.zero_point] for name, grid in self.borders.items()},
            "levels": self.levels,
            "per_tensor_dense": self.per_tensor_dense,
            "floats": dict(self.floats),
            "calibration": dict(self.calibration),
        }
        arrays: dict[str, NDArray[Any]] = {"meta": np.frombuffer(canonical_json(meta), np.uint8)}
        for prefix, values in (("weight", self.weights), ("factor", self.factors), ("shift", self.shifts)):
            arrays |= {f"{prefix}:{name}": np.asarray(value, np.float32) for name, value in values.items()}
        arrays |= {f"sample:{name}": np.asarray(sample) for name, sample in self.samples.items()}
        save_npz(path, arrays)

    @classmethod
    def load(cls, path: Path) -> QuantizationPlan:
        """Read what `save` wrote.

        Raises:
            InputError: if the file is damaged, written by a newer dltk, or names a precision that is none.
        """
        arrays = parse_npz(read_capped(path, _LIMIT), path, ["meta"])
        meta = parse_json(arrays["meta"].tobytes(), path)
        if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
            raise InputError(path, f"must have format {_FORMAT}", json.dumps(meta)[:80])
        for key, known in (("precision", get_args(Precision)), ("ranges", get_args(Ranges))):
            if meta.get(key) not in known:
                raise InputError(f"{path}: {key}", f"must be one of {', '.join(known)}", meta.get(key))
        grid = Symmetric16 if meta["precision"] == "int16x8" else Affine8
        try:
            return cls(
                precision=meta["precision"],
                ranges=meta["ranges"],
                tensors={name: grid(float(s), int(z)) for name, (s, z) in meta["tensors"].items()},
                weights=_prefixed(arrays, "weight:"),
                floats=dict(meta["floats"]),
                calibration=dict(meta["calibration"]),
                factors=_prefixed(arrays, "factor:"),
                shifts=_prefixed(arrays, "shift:"),
                samples=_prefixed(arrays, "sample:"),
                borders={name: grid(float(s), int(z)) for name, (s, z) in meta.get("borders", {}).items()},
                levels=int(meta.get("levels", 127)),
                per_tensor_dense=bool(meta.get("per_tensor_dense", False)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise InputError(path, "must be a whole quantization plan", str(fault)) from fault


def _prefixed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}
