"""Which files there can be, and one of them as bytes, out of the cache where it was made before."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import entry_is_intact, keep
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import InputError, UsageError
from dltk.base.files import canonical_json, read_capped, sha256
from dltk.edge.bundle.manifest import LARGEST_FILE, PRECISIONS
from dltk.edge.bundle.signature import Signature
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.calibration import input_digest
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["LEFT", "PAIRS", "Target", "emit", "left_float", "requested_targets"]

_VERSION = 6  # of what export writes for the same graph, beside the versions of its tools
_FILE = "model"  # in a cache entry
_TOOLS = ("tensorflow", "tf-keras", "tf2onnx", "onnx", "onnxslim", "onnxruntime", "numpy")

PAIRS = {
    "tflite": PRECISIONS,
    "onnx": ("float32", "int8"),
    "c": ("float32", "int8", "int8-io", "int16x8"),  # C sources of the TFLite file, which stands beside them
}
_UNASKED = ("tflite", "onnx")
# Why TensorFlow Lite Micro does not run a precision that TFLite has.
_NOT_IN_C = {
    "float16": "TensorFlow Lite Micro has no kernels that read float16 weights",
    "dynamic": "TensorFlow Lite Micro runs no int8 weights beside float activations (hybrid models)",
}
_NEEDS_RANGES = {"int8": "int8", "int8-io": "int8", "int16x8": "int16x8"}  # precision -> that of its plan
_ORDER = ("int8", "int8-io", "int16x8", "float16", "dynamic", "float32")
_BY_PLAN = {
    None: (),
    "float16": ("float16",),
    "dynamic": ("dynamic",),
    "int8": ("int8", "int8-io"),
    "int16x8": ("int16x8",),
}


@dataclass(frozen=True)
class Target:
    """A file to make."""

    format: str
    precision: str

    @property
    def file(self) -> str:
        """Its name in the bundle."""
        return f"model.{self.precision}.{self.format}"


def requested_targets(
    formats: Sequence[str],
    precisions: Sequence[str],
    plan: QuantizationPlan | None,
    run: object,
    *,
    source: object = None,
) -> tuple[Target, ...]:
    """The model files that were asked for; quantized ones first, since `load` prefers what comes first.

    Without `precisions`: float32, and whatever the plan allows. "c" asks for the TFLite files of the precisions that
    TensorFlow Lite Micro runs: C sources are made of them.

    Args:
        run, source: the run, and the one it was compressed from: what messages call them.

    Raises:
        UsageError: if a precision, or a format that is named, would get no file.
        InputError: if int8 or int16x8 is asked for and the run has no ranges.
    """
    asked = precisions or ("float32", *_BY_PLAN[plan.precision if plan else None])
    found = [
        Target("tflite" if name == "c" else name, precision)
        for name in formats or _UNASKED
        for precision in asked
        if precision in PAIRS[name]
    ]
    _require_pairs(formats, precisions)
    for wanted in dict.fromkeys(_NEEDS_RANGES.get(target.precision) for target in found):
        if wanted is not None:
            _require_ranges(wanted, plan, run, source)
    found.sort(key=lambda target: (_ORDER.index(target.precision), target.format != "tflite"))
    return tuple(dict.fromkeys(found))


def _require_pairs(formats: Sequence[str], precisions: Sequence[str]) -> None:
    """Raise UsageError if one of `precisions` exists in none of the formats, or one of `formats` has none of them."""
    lost = [
        f"--precision {precision}" + "".join(f" --format {name}" for name in formats)
        for precision in precisions
        if not any(precision in PAIRS[name] for name in formats or _UNASKED)
    ]
    lost += [
        f"--format {name}" + "".join(f" --precision {precision}" for precision in precisions)
        for name in formats
        if precisions and not set(precisions) & set(PAIRS[name])
    ]
    if lost:
        pairs = "; ".join(f"{name}: {', '.join(PAIRS[name])}" for name in PAIRS)
        why = [reason for name, reason in _NOT_IN_C.items() if "c" in formats and name in precisions]
        raise UsageError(lost[0], ": ".join(["there is no such file", *why]), hint=f"There are: {pairs}.")


def _require_ranges(wanted: str, plan: QuantizationPlan | None, run: object, source: object) -> None:
    if plan is None:
        hint = f"Run `dltk compress {shlex.quote(str(run))} --step quantize:precision={wanted}` and export the new run."
        raise InputError(run, f"has no {wanted} ranges: compress decides them, export only emits", hint=hint)
    if plan.precision != wanted:  # a second quantization would be refused
        rule = f"was compressed to {plan.precision}, and a run is quantized once"
        made = (
            f"Run `dltk compress {shlex.quote(str(source or 'SOURCE'))} --step quantize:precision={wanted} --run DIR`"
        )
        beside = "" if source else ", SOURCE being the run that it was made from,"
        raise InputError(run, rule, hint=f"{made}{beside} and export the new run.")


def emit(graph: Graph, signature: Signature, target: Target, plan: QuantizationPlan | None) -> bytes:
    """The bytes of one artifact; made once for equal graphs, plans and tools."""
    from dltk.export import onnx, tflite

    graph = _with_signature_shapes(graph, signature)
    if plan is not None and target.precision in _NEEDS_RANGES:
        graph = with_corrections(graph, plan)
    folder = cache_folder("artifacts", f"{_key(graph, signature, target, plan)}.{target.format}")
    if entry_is_intact(folder, [_FILE], whole=True):
        return read_capped(folder / _FILE, LARGEST_FILE)
    maker = tflite.emit if target.format == "tflite" else onnx.emit
    data = maker(graph, signature, target.precision, plan)
    keep(folder, _FILE, data)
    return data


def _with_signature_shapes(graph: Graph, signature: Signature) -> Graph:
    """`graph` with the sizes that the signature gives inputs which the model leaves open: images of any size."""
    inputs = tuple(
        replace(item, shape=tuple(known or size for known, size in zip(item.shape, spec.sample_shape, strict=True)))
        for item, spec in zip(graph.inputs, signature.inputs, strict=True)
    )
    return replace(graph, inputs=inputs)


def _key(graph: Graph, signature: Signature, target: Target, plan: QuantizationPlan | None) -> str:
    ranges: dict[str, Any] = {}
    if plan is not None and target.precision in _NEEDS_RANGES:
        ranges = {
            "ranges": plan.ranges,
            "tensors": {name: asdict(grid) for name, grid in plan.tensors.items()},
            "weights": input_digest(plan.weights),
            "floats": dict(plan.floats),
            "samples": input_digest(plan.samples),
            "borders": {name: asdict(grid) for name, grid in plan.borders.items()},
            "levels": plan.levels,
            "per_tensor_dense": plan.per_tensor_dense,
        }
    tools = {name: version(name) for name in _TOOLS}
    parts = [_VERSION, graph.digest(), signature.as_dict(), asdict(target), ranges, tools]
    return sha256(canonical_json(parts))[:32]


LEFT = "left float by TensorFlow's converter: a tensor of fewer than 1024 weights, or an operator that it leaves alone"


def left_float(graph: Graph, signature: Signature, plan: QuantizationPlan) -> dict[str, str]:
    """Layer -> why it is float, for each whose weights stand as float32 in the file of a plan without ranges.

    The converter cuts weights into parts, turns them round and joins them, but changes no number: a layer is float
    where the numbers of its kernel are in the file.
    """
    data = emit(graph, signature, Target("tflite", plan.precision), plan)
    numbers = _float_constants(data)
    return {name: LEFT for name, layer in graph.layers.items() if layer.weights and _is_among(layer, numbers)}


def _float_constants(data: bytes) -> NDArray[np.float32]:
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    found = [np.zeros(0, np.float32)]
    for tensor in (tensor for subgraph in model.subgraphs for tensor in subgraph.tensors):
        values = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT32 and values is not None:
            found.append(np.frombuffer(np.asarray(values, np.uint8).tobytes(), np.float32))
    return np.unique(np.concatenate(found))


def _is_among(layer: Layer, numbers: NDArray[np.float32]) -> bool:
    """Whether most of the kernel is there; of weights without a kernel, the largest. Zeros are in every file."""
    index = row(layer.kind, layer.config).kernel
    kernel = max(layer.weights, key=np.size) if index is None else layer.weights[index]
    values = np.unique(np.asarray(kernel, np.float32))
    values = values[values != 0]
    return bool(np.isin(values, numbers).mean() > 0.5) if len(values) else True
