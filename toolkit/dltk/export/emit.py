"""Which files there can be, and one of them as bytes, out of the cache where it was made before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from dltk.base.errors import InputError, UsageError
from dltk.base.fetch import cache_folder
from dltk.base.files import canonical_json, read_capped, sha256, write_atomic
from dltk.compress.plan import QuantizationPlan
from dltk.compress.ranges import input_digest
from dltk.compress.repair import repaired
from dltk.edge.manifest import LARGEST_FILE
from dltk.edge.signature import Signature
from dltk.twin.graph import Graph

__all__ = ["PAIRS", "Target", "emit", "graph_digest", "targets"]

_VERSION = 2  # of what export writes for the same graph, beside the versions of its tools
_TOOLS = ("tensorflow", "tf-keras", "tf2onnx", "onnx", "onnxslim", "onnxruntime", "numpy")

PAIRS = {
    "tflite": ("float32", "float16", "dynamic", "int8", "int8-io"),
    "onnx": ("float32", "int8"),
}
_NEEDS_RANGES = ("int8", "int8-io")
_ORDER = ("int8", "int8-io", "float16", "dynamic", "float32")
_BY_PLAN = {None: (), "float16": ("float16",), "dynamic": ("dynamic",), "int8": _NEEDS_RANGES}


@dataclass(frozen=True)
class Target:
    """A file to make."""

    format: str
    precision: str

    @property
    def file(self) -> str:
        """Its name in the bundle."""
        return f"model.{self.precision}.{self.format}"


def targets(
    formats: Sequence[str], precisions: Sequence[str], plan: QuantizationPlan | None, run: object
) -> tuple[Target, ...]:
    """The files that were asked for; quantized ones first, since `load` prefers what comes first.

    Without `precisions`: float32, and whatever the plan allows.

    Raises:
        UsageError: if a pair of format and precision does not exist.
        InputError: if int8 is asked for and the run has no ranges.
    """
    asked = precisions or ("float32", *_BY_PLAN[plan.precision if plan else None])
    found = [Target(name, precision) for name in formats or PAIRS for precision in asked if precision in PAIRS[name]]
    for precision in precisions:
        if not any(precision in PAIRS[name] for name in formats or PAIRS):
            pairs = "; ".join(f"{name}: {', '.join(PAIRS[name])}" for name in PAIRS)
            where = f"--precision {precision}" + "".join(f" --format {name}" for name in formats)
            raise UsageError(where, "there is no such file", hint=f"There are: {pairs}.")
    if any(target.precision in _NEEDS_RANGES for target in found) and (plan is None or plan.precision != "int8"):
        hint = f"Run `dltk compress {run} --step quantize:precision=int8` and export what it makes."
        raise InputError(run, "has no int8 ranges: compress decides them, export only emits", hint=hint)
    found.sort(key=lambda target: (_ORDER.index(target.precision), target.format != "tflite"))
    return tuple(dict.fromkeys(found))


def emit(graph: Graph, signature: Signature, target: Target, plan: QuantizationPlan | None) -> bytes:
    """The bytes of one artifact; made once for equal graphs, plans and tools."""
    from dltk.export import onnx, tflite

    if plan is not None and target.precision in _NEEDS_RANGES:
        graph = repaired(graph, plan)
    path = cache_folder("artifacts", f"{_key(graph, signature, target, plan)}.{target.format}")
    kept = path.with_suffix(path.suffix + ".sha256")
    if path.is_file() and kept.is_file():
        data = read_capped(path, LARGEST_FILE)
        if sha256(data) == kept.read_text(errors="replace"):
            return data
    maker = tflite.emit if target.format == "tflite" else onnx.emit
    data = maker(graph, signature, target.precision, plan)
    write_atomic(path, data)
    write_atomic(kept, sha256(data).encode())
    return data


def graph_digest(graph: Graph) -> str:
    """SHA-256 over layers, calls and weights."""
    parts = [f"{item.name} {item.shape} {item.dtype}" for item in graph.inputs]
    for name, layer in graph.layers.items():
        config = json.dumps({key: repr(value) for key, value in layer.config.items()}, sort_keys=True)
        weights = " ".join(sha256(np.ascontiguousarray(weight).tobytes()) for weight in layer.weights)
        parts.append(f"{name} {layer.kind} {config} {weights}")
    parts += [f"{call.layer} {call.args!r} {dict(call.kwargs)!r} {call.outputs}" for call in graph.calls]
    return sha256("\n".join([*parts, *graph.outputs]).encode())


def _key(graph: Graph, signature: Signature, target: Target, plan: QuantizationPlan | None) -> str:
    ranges: dict[str, Any] = {}
    if plan is not None and target.precision in _NEEDS_RANGES:
        ranges = {
            "ranges": plan.ranges,
            "tensors": {name: asdict(grid) for name, grid in plan.tensors.items()},
            "weights": input_digest(plan.weights),
            "floats": dict(plan.floats),
            "samples": input_digest(plan.samples),
        }
    tools = {name: version(name) for name in _TOOLS}
    parts = [_VERSION, graph_digest(graph), signature.as_dict(), asdict(target), ranges, tools]
    return sha256(canonical_json(parts))[:32]
