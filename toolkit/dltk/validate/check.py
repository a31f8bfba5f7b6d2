"""The gate of `export`: what an artifact must keep of its reference, as pure functions.

Limits are about the model, and samples are few: what they show at 95% to be beyond a limit is refused; what they cannot
decide passes with a note, or with `strict` is refused, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Metric
from dltk.edge.intervals import share_interval
from dltk.edge.parity import COSINE, MAX_ABS, UNDECIDED, compare, output_faults
from dltk.recipe.settings import setting
from dltk.validate.lost import metric_drop

__all__ = ["Gate", "Scoring", "Verdict", "compare_outputs"]

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Gate:
    """Limits; all recorded in the bundle with their values.

    Attributes:
        float32: largest difference from the reference, x max(1, largest reference).
        float16: the same, for files with float16 weights.
        cosine: lowest mean cosine of quantized files; good ones of a small ResNet reach 0.998.
        top1_agreement: lowest share of samples on which a quantized file names the same class.
        micro_steps: largest distance between an integer file's outputs in TensorFlow Lite Micro and in LiteRT, in steps
            of the output: the two round in different places. It applies to the files that C sources are made from.
        drop: largest loss of the metric: absolute where it lies in 0..1, else relative to the reference's.
        strict: also refuse what the samples cannot decide: the far end of each 95% interval must meet its limit.
    """

    float32: float = setting(1e-5, "largest error of float32 files, x max(1, largest output)", low=0.0)
    float16: float = setting(1e-2, "the same for float16 files", low=0.0)
    cosine: float = setting(0.99, "lowest mean cosine of quantized files", low=-1.0, high=1.0)
    top1_agreement: float = setting(0.95, "lowest top-1 agreement of quantized files", low=0.0, high=1.0)
    micro_steps: int = setting(4, "largest distance of TensorFlow Lite Micro from LiteRT, in steps", low=0)
    drop: float = setting(0.02, "largest loss of the metric", low=0.0)
    strict: bool = setting(False, "require the samples to show that cosine, agreement and metric meet their limits")

    def as_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Scoring:
    """How the metric of an artifact is computed.

    Attributes:
        targets: what is right, (n, ...).
        metric: the family's metric.
        baseline: outputs that its drop is counted from (the model before compression); the reference if None.
        inputs: the input tensors, where the metric compares outputs with them.
        seed: of the bootstrap.
    """

    targets: NDArray[Any]
    metric: Metric
    baseline: Outputs | None = None
    inputs: Outputs = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Verdict:
    """What was measured, and why it does not pass.

    Attributes:
        parity: goes into the manifest's artifact as it is; with "notes" where there are any.
        metric: {"name", "value", "reference", "drop", "interval", "samples", "higher_is_better", "is_share"}, and
            for classifiers the counts "worse", "better" and "changed"; the interval is of the drop,
            at 95%. None where there were no targets.
        reasons: one sentence per fault; empty if it passed.
        accepts: the limits of the gate with which it would have passed; only those that it missed.
    """

    parity: dict[str, Any]
    metric: dict[str, Any] | None
    reasons: tuple[str, ...]
    accepts: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the artifact."""
        return not self.reasons

    @property
    def notes(self) -> tuple[str, ...]:
        """What the samples could not decide, a sentence each."""
        return tuple(self.parity.get("notes", ()))


def compare_outputs(
    reference: Outputs,
    outputs: Outputs,
    *,
    precision: str,
    signature: Signature,
    gate: Gate | None = None,
    scoring: Scoring | None = None,
    float_operators: Collection[str] = (),
    left_float: Collection[str] = (),
) -> Verdict:
    """Compare an artifact's outputs with the float32 reference's on the same samples, name -> (n, ...).

    Args:
        scoring: how the metric is computed; None: no metric is compared.
        float_operators: as the worker found them; a file called int8 may have none but `left_float`.
        left_float: operators that the quantization plan leaves float, by the runtime's names.
    """
    gate = gate or Gate()
    faults = _reference_fault(reference, signature) or output_faults(reference, outputs, signature)
    if faults:
        return Verdict({}, None, tuple(faults))
    parity = compare(reference, outputs, signature, **_limits(precision, gate))
    del parity["passed"]
    reasons, notes = parity.pop("faults", []), parity.pop("notes", [])
    accepts = _accepts(parity, precision, gate) if reasons else {}
    stray = sorted(set(float_operators) - set(left_float)) if precision.startswith("int") else []
    if stray:
        reasons.append(f"called {precision} but computes in float32: {', '.join(stray)}")
    scored = None
    if scoring is not None:
        origin = scoring.baseline or reference
        before, after = ({**scoring.inputs, **found} for found in (origin, outputs))
        described = metric_drop(before, after, scoring.targets, scoring.metric, signature, scoring.seed)
        scored, words = described.found, described.fault
        if scored is not None and not _equal(origin, outputs, signature, gate):
            ends, words = described.against(gate.drop)
            if ends == UNDECIDED and not gate.strict:
                notes, words = [*notes, words], ""
        if words:
            reasons.append(words)
            accepts |= {"drop": described.accepted(strict=gate.strict)} if scored is not None else {}
    return Verdict(parity | ({"notes": notes} if notes else {}), scored, tuple(reasons), accepts)


def _reference_fault(reference: Outputs, signature: Signature) -> list[str]:
    """Why nothing can be compared with the reference."""
    for spec in signature.outputs:
        if not len(reference[spec.name]):
            return ["cannot be compared: there are no samples"]
        if not np.isfinite(reference[spec.name]).all():
            return [f"cannot be compared: {spec.name} of the reference has numbers that are not finite"]
    return []


def _limits(precision: str, gate: Gate) -> dict[str, Any]:
    if precision in ("float32", "float16"):
        return {"measure": MAX_ABS, "tolerance": gate.float32 if precision == "float32" else gate.float16}
    limits = {"measure": COSINE, "tolerance": gate.cosine, "top1_tolerance": gate.top1_agreement}
    return limits | {"strict": gate.strict}


def _equal(before: Outputs, after: Outputs, signature: Signature, gate: Gate) -> bool:
    """Whether outputs are those of the model that a drop is counted from: then no sample has to prove it."""
    return bool(compare(before, after, signature, measure=MAX_ABS, tolerance=gate.float32)["passed"])


def _accepts(parity: Mapping[str, Any], precision: str, gate: Gate) -> dict[str, float]:
    """The limits that this parity would meet, with three digits."""
    if parity["measure"] == MAX_ABS:
        scale = parity["limit"] / parity["tolerance"] if parity["tolerance"] else 1.0
        return {precision: float(f"{parity['error'] / scale * 1.01:.2e}")}
    end, found = 1 if gate.strict else 0, {}
    if not parity["interval"][end] <= 1 - gate.cosine:
        found["cosine"] = math.floor((1 - parity["interval"][end]) * 1000) / 1000
    if "top1_agreement" in parity:
        interval = share_interval(parity["top1_changed"], parity["samples"])
        if not interval[end] <= 1 - gate.top1_agreement:
            found["top1_agreement"] = math.floor((1 - interval[end]) * 1000) / 1000
    return found
