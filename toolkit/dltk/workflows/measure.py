"""Measure a candidate's files in their runtimes, for the report of compress and the gate of export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.edge.bench import download_bytes
from dltk.edge.bundle.arrays import read_npz
from dltk.edge.bundle.manifest import PRECISIONS, Artifact
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import Metric, compared_inputs, family
from dltk.edge.gains import changed_text, gain_with_interval
from dltk.edge.metrics import top1_agreement
from dltk.edge.runtime.device import THIS_MACHINE, Device
from dltk.export.emit import Target, emit, requested_targets
from dltk.export.operators import allowed_float_operators, minimum_runtime
from dltk.models.files.extent import batch_within
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import ArtifactRow
from dltk.run import Run
from dltk.twin.graph import Graph
from dltk.validate import Gate, Scoring, Verdict, WorkerResult, compare_outputs

__all__ = [
    "Evaluation",
    "Kept",
    "Measured",
    "Outputs",
    "agreement",
    "evaluation",
    "measured_line",
    "measure",
    "measure_all",
    "planned_files",
    "reference_outputs",
    "table",
]

Outputs = Mapping[str, NDArray[Any]]
_BATCH = 64


@dataclass(frozen=True)
class Kept:
    """What a run keeps to evaluate files with.

    Attributes:
        raws, targets: test samples (n, ...) and what is right of them.
        baseline: outputs of the first float32 model of the line; None where that is the run's own.
    """

    raws: NDArray[Any]
    targets: NDArray[Any]
    baseline: Outputs | None

    @classmethod
    def of(cls, run: Run, signature: Signature) -> Kept:
        """Read them.

        Raises:
            InputError: if a file is missing or damaged.
        """
        raws, targets = run.evaluation()
        if not run.baseline_path.is_file():
            return cls(raws, targets, None)
        names = [spec.name for spec in signature.outputs]
        found = read_npz(run.baseline_path, names)
        return cls(raws, targets, {name: found[name] for name in names})


@dataclass(frozen=True)
class Evaluation:
    """Samples and predictions that files are compared with.

    Attributes:
        raws: test samples (n, ...).
        targets: what is right (n, ...), or None where nothing is.
        reference: outputs of the run's own float32 model, name -> (n, ...).
        baseline: outputs of the source run's float32 model: a drop is counted from there.
        metric: the family's; None where no prediction is right or wrong.
        inputs: the input tensors, name -> (n, ...), where the metric compares outputs with them.
    """

    raws: NDArray[Any]
    targets: NDArray[Any] | None
    reference: Outputs
    baseline: Outputs
    metric: Metric | None
    inputs: Outputs


@dataclass(frozen=True)
class Measured:
    """One file and what was found about it."""

    target: Target
    data: bytes
    result: WorkerResult
    verdict: Verdict
    artifact: Artifact

    def row(self) -> ArtifactRow:
        """Its row of a report, latency included."""
        found = self.artifact
        return ArtifactRow(
            file=found.file,
            format=found.format,
            precision=found.precision,
            bytes=found.bytes,
            download_bytes=found.download_bytes,
            p50_ms=self.result.p50_ms,
            metric=found.metric,
            parity=dict(found.parity),
            ranges=found.ranges,
            float_operators=dict(self.result.float_operators),
            passed=self.verdict.passed,
            reasons=tuple(self.verdict.reasons),
            notes=tuple(self.verdict.notes),
            accepts=dict(self.verdict.accepts),
        )


def evaluation(kept: Kept, model: Any, signature: Signature, *, progress: Progress = SILENT) -> Evaluation:
    """A run's test samples with the outputs of its model, and of the model it was compressed from."""
    reference = reference_outputs(model, kept.raws, signature, progress=progress)
    baseline = reference if kept.baseline is None else kept.baseline
    metric = next(iter(family(signature.family).metrics), None)
    targets = None if metric is None else kept.targets
    return Evaluation(kept.raws, targets, reference, baseline, metric, compared_inputs(kept.raws, signature))


def reference_outputs(
    model: Any, raws: NDArray[Any], signature: Signature, *, progress: Progress = SILENT
) -> dict[str, NDArray[np.float32]]:
    """Output name -> float32 (n, ...): predictions of the Keras model for raw samples."""
    import tensorflow as tf

    prepare = family(signature.family).tensors
    names = [spec.name for spec in signature.outputs]

    @tf.function(reduce_retracing=True, autograph=False)
    def forward(*inputs: Any) -> list[Any]:
        return tf.nest.flatten(model(_packed(inputs), training=False))

    found: list[list[NDArray[Any]]] = []
    with progress.bar("reference", len(raws)) as bar:
        size = batch_within(model, _BATCH)
        for start in range(0, len(raws), size):
            batch = raws[start : start + size]
            tensors = prepare(batch, signature)
            outputs = forward(*(tf.constant(tensors[spec.name]) for spec in signature.inputs))
            found.append([np.asarray(output, np.float32) for output in outputs])
            bar.advance(len(batch))
    return {name: np.concatenate([outputs[i] for outputs in found]) for i, name in enumerate(names)}


def planned_files(plan: QuantizationPlan | None) -> tuple[Target, ...]:
    """What a plan makes of a model, as TFLite files; sizes and limits are about the first."""
    if plan is None or plan.precision not in PRECISIONS:
        return ()
    return requested_targets(("tflite",), (plan.precision,), plan, "run")


def measure(
    graph: Graph,
    signature: Signature,
    target: Target,
    plan: QuantizationPlan | None,
    samples: Evaluation,
    *,
    gate: Gate,
    seed: int,
    device: Device = THIS_MACHINE,
) -> Measured:
    """Emit a file and run it on all samples in a process without TensorFlow; it is timed on `device`."""
    data = emit(graph, signature, target, plan)
    result = device.run(data, target.format, signature, samples.raws)
    scoring = None
    if samples.targets is not None and samples.metric is not None:
        scoring = Scoring(samples.targets, samples.metric, samples.baseline, samples.inputs, seed)
    ranges = plan.ranges if plan is not None and target.precision.startswith("int") else "none"
    verdict = compare_outputs(
        samples.reference,
        result.outputs,
        precision=target.precision,
        signature=signature,
        gate=gate,
        scoring=scoring,
        float_operators=result.float_operators,
        left_float=allowed_float_operators(graph, plan, result.float_operators),
    )
    artifact = Artifact(
        file=target.file,
        format=target.format,
        precision=target.precision,
        minimum_runtime=minimum_runtime(target.format, data),
        operators=result.operators,
        ranges=ranges,
        parity=verdict.parity,
        metric=verdict.metric,
        bytes=len(data),
        download_bytes=download_bytes(data),
    )
    return Measured(target, data, result, verdict, artifact)


def measure_all(
    forms: Mapping[Target, Graph],
    signature: Signature,
    plan: QuantizationPlan | None,
    samples: Evaluation,
    *,
    label: str,
    progress: Progress,
    **how: Any,
) -> list[Measured]:
    """`measure` of each file, made of its graph; one line per file.

    Args:
        label: of the bar.
        how: gate, seed and device, as `measure` takes them.
    """
    found: list[Measured] = []
    with progress.bar(label, len(forms)) as bar:
        for target, graph in forms.items():
            found.append(measure(graph, signature, target, plan, samples, **how))
            bar.advance(1, target.file)
            progress.log(measured_line(found[-1].row()))
    return found


def agreement(measured: Sequence[Measured], signature: Signature) -> dict[str, float]:
    """Pair "FILE FILE" -> share of samples that two files of one precision and different formats decide alike."""
    if signature.family != "classification":
        return {}
    name, found = signature.outputs[0].name, {}
    for i, one in enumerate(measured):
        for other in measured[i + 1 :]:
            if one.target.precision == other.target.precision:
                key = f"{one.target.file} {other.target.file}"
                found[key] = top1_agreement(one.result.outputs[name], other.result.outputs[name])
    return found


def measured_line(row: ArtifactRow) -> str:
    """One measured file, for the log: "model.int8.tflite: 70,104 bytes, p50 0.08 ms, accuracy 0.9705"."""
    parts = [f"{row.bytes:,} bytes"]
    parts += [] if row.p50_ms is None else [f"p50 {row.p50_ms:.3g} ms"]
    parts += [f"{row.metric['name']} {row.metric['value']:.4f}"] if row.metric else []
    return f"{row.file}: {', '.join(parts)}{'' if row.passed else ', FAILED'}"


_COLUMNS: Sequence[tuple[str, Callable[[ArtifactRow], str]]] = (
    ("file", lambda row: row.file),
    ("bytes", lambda row: f"{row.bytes:,}"),
    ("gzip -9", lambda row: f"{row.download_bytes:,}"),
    ("p50 ms", lambda row: "-" if row.p50_ms is None else f"{row.p50_ms:.3f}"),
    ("metric", lambda row: f"{row.metric['name']} {row.metric['value']:.4f}" if row.metric else "-"),
    ("gain [95% interval]", lambda row: gain_with_interval(row.metric)),
    ("changed", lambda row: changed_text(row.metric)),
    ("", lambda row: "" if row.passed else "FAILED"),
)


def table(rows: Sequence[ArtifactRow], *, timed: bool = True) -> str:
    """Measured files as lines: size, download, median latency where they are `timed`, metric, gain with interval.

    A gain is a change for the better, whichever way the metric points; a loss is negative.
    """
    columns = [(head, cell) for head, cell in _COLUMNS if timed or head != "p50 ms"]
    lines = [tuple(head for head, _ in columns), *(tuple(cell(row) for _, cell in columns) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)  # fmt: skip


def _packed(inputs: Sequence[Any]) -> Any:
    return inputs[0] if len(inputs) == 1 else list(inputs)
