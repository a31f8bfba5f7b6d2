"""The first layer where Keras, LiteRT and ONNX Runtime part ways, found by letting each layer's output out of the file.

The files that are run here are those of export with further outputs: behind each layer that has weights, where the
runtime stores a tensor anyway, so that what it fuses stays fused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError
from dltk.base.progress import SILENT, Bar, Progress
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.export.emit import Target, emit
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.plan import QuantizationPlan
from dltk.quantization.shared_ranges import shared_ranges
from dltk.report.schema import ComparedRow, Divergence
from dltk.twin.graph import Graph
from dltk.validate import run_worker
from dltk.workflows.measure import reference_outputs

__all__ = ["Probe", "divergence", "probes", "samples_that_fit"]

_SAMPLES, _NUMBERS = 32, 40_000_000  # at most; numbers of all probes together, 160 MB a runtime
_LIMIT = 1e-4  # over max(1, largest value): rounding of float32 alone reaches 1.5e-5 inside a MobileNetV2
_STEPS = 1  # of the 8-bit grid: each runtime rounds once, so that two right ones may differ by one

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Probe:
    """A tensor to look at, and the layer it comes from."""

    layer: str
    tensor: str


def divergence(
    model: Any,
    signature: Signature,
    plan: QuantizationPlan | None,
    raws: NDArray[Any],
    *,
    progress: Progress = SILENT,
) -> Divergence:
    """How far the two runtimes are from Keras in float32, and from each other in int8, layer by layer.

    Args:
        model: Keras 3, float.
        raws: samples (n, ...); the first few dozen are used.
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph, split_activations, split_hard_sigmoid, split_separable

    read_as = read(model)
    graph, whole = deployed_graph(read_as), split_hard_sigmoid(split_activations(split_separable(read_as)))
    made = {name for call in whole.calls for name in call.outputs}
    found = [probe for probe in probes(graph) if _unfolded(probe.tensor, whole, graph) in made]
    raws = raws[: samples_that_fit(graph, found)]
    told = Divergence(samples=len(raws), limit=_LIMIT, int8_limit=_STEPS)
    try:
        rows = _rows(_Wide(graph, signature, found, plan, raws), whole, found, progress)
    except DltkError as fault:  # a layer that one of the formats lacks: export says so where it matters
        return replace(told, failed=str(fault))
    return replace(
        told,
        first=_first(rows, lambda row: max(row.litert or 0.0, row.onnx or 0.0) > _LIMIT),
        first_int8=_first(rows, lambda row: (row.int8_steps or 0) > _STEPS),
        layers=tuple(rows),
    )


def probes(graph: Graph) -> list[Probe]:
    """What to look at in a deployed graph: the stored output of each use of a layer with weights, and the outputs."""
    hidden, consumers, found = shared_ranges(graph).hidden, graph.consumers(), dict[str, str]()
    for call in graph.calls:
        tensor = call.outputs[0]
        if tensor in hidden:
            tensor = consumers[tensor][0].outputs[0]
        weighted = bool(graph.layers[call.layer].weights) and None not in graph.shapes.get(tensor, (None,))
        if weighted or tensor in graph.outputs:
            found.setdefault(tensor, call.layer)
    return [Probe(layer, tensor) for tensor, layer in found.items()]


def samples_that_fit(graph: Graph, found: Sequence[Probe]) -> int:
    """How many samples may be looked at, so that all probes together stay in memory; 2 at least."""
    numbers = sum(int(np.prod([size or 1 for size in graph.shapes[probe.tensor]])) for probe in found)
    return int(np.clip(_NUMBERS // max(numbers, 1), 2, _SAMPLES))


class _Wide:
    """The model with its probes as outputs, in Keras and as files."""

    def __init__(
        self,
        graph: Graph,
        signature: Signature,
        found: Sequence[Probe],
        plan: QuantizationPlan | None,
        raws: NDArray[Any],
    ) -> None:
        own = dict(zip(graph.outputs, signature.outputs, strict=True))
        more = [probe.tensor for probe in found if probe.tensor not in own]
        specs = {tensor: _spec(f"layer{i}", graph.shapes[tensor]) for i, tensor in enumerate(more)}
        self.names = [(own | specs)[probe.tensor].name for probe in found]
        self._plain, self._graph, self._more = graph, replace(graph, outputs=(*graph.outputs, *more)), more
        self._signature = replace(signature, outputs=(*signature.outputs, *specs.values()))
        self.plan, self._raws = plan, raws

    def keras(self, whole: Graph) -> Outputs:
        """What Keras 3 computes; `whole` is the graph before anything was folded."""
        from dltk.twin.keras3 import rebuild

        tensors = [_unfolded(tensor, whole, self._graph) for tensor in self._more]
        model = rebuild(replace(whole, outputs=(*whole.outputs, *tensors)))
        return reference_outputs(model, self._raws, self._signature)

    def run(self, target: Target, bar: Bar) -> Outputs:
        """What the file `target` gives, in a process without TensorFlow."""
        if target.precision == "float32" or self.plan is None:
            data = emit(self._graph, self._signature, target, None)
        else:  # repaired beforehand: what leaves the graph is not equalized, and here every layer does
            mended = replace(with_corrections(self._plain, self.plan), outputs=self._graph.outputs)
            data = emit(mended, self._signature, target, replace(self.plan, factors={}, shifts={}))
        found = run_worker(data, target.format, self._signature, self._raws).outputs
        bar.advance(1, target.file)
        return found


def _spec(name: str, shape: tuple[int | None, ...]) -> TensorSpec:
    return TensorSpec(name, "float32", (None, *shape), ("batch", *(f"axis{i}" for i in range(len(shape)))))


def _unfolded(tensor: str, whole: Graph, graph: Graph) -> str:
    """The tensor of the unfolded graph that holds the same values: behind what was folded into its layer."""
    kept = {name for call in graph.calls for name in call.outputs}
    consumers = whole.consumers()
    while len(readers := consumers.get(tensor, [])) == 1 and readers[0].outputs[0] not in kept:
        tensor = readers[0].outputs[0]
    return tensor


def _rows(wide: _Wide, whole: Graph, found: Sequence[Probe], progress: Progress) -> list[ComparedRow]:
    plan = wide.plan
    with progress.bar("comparing layers", 5) as bar:
        keras = wide.keras(whole)
        bar.advance(1, "keras")
        float32 = [wide.run(Target(name, "float32"), bar) for name in ("tflite", "onnx")]
        shared = plan is not None and plan.precision == "int8" and plan.ranges == "shared"
        int8 = [wide.run(Target(name, "int8"), bar) for name in ("tflite", "onnx")] if shared else []
    return [_row(probe, name, keras, float32, int8, plan) for probe, name in zip(found, wide.names, strict=True)]


def _row(
    probe: Probe,
    name: str,
    keras: Outputs,
    float32: Sequence[Outputs],
    int8: Sequence[Outputs],
    plan: QuantizationPlan | None,
) -> ComparedRow:
    largest = max(1.0, float(np.abs(keras[name]).max(initial=0.0)))
    litert, onnx = (float(np.abs(found[name] - keras[name]).max(initial=0.0)) / largest for found in float32)
    grid = plan.tensors.get(probe.tensor) if plan is not None else None
    worst: int | None = None
    differing: float | None = None
    if int8 and grid is not None:
        steps = np.rint(np.abs(int8[0][name] - int8[1][name]) / grid.scale)
        worst, differing = int(steps.max(initial=0.0)), float((steps > 0).mean())
    return ComparedRow(layer=probe.layer, litert=litert, onnx=onnx, int8_steps=worst, int8_differing=differing)


def _first(rows: Sequence[ComparedRow], above: Callable[[ComparedRow], bool]) -> str | None:
    return next((row.layer for row in rows if above(row)), None)
