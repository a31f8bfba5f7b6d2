"""The gate of `export`: what an artifact must keep of its reference, as pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.families.base import Metric
from dltk.edge.metrics import paired_bootstrap
from dltk.edge.parity import COSINE, MAX_ABS, compare, in_words, misfits
from dltk.edge.signature import Signature
from dltk.recipe.settings import setting

__all__ = ["Gate", "Verdict", "judge"]

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
            of the output: the two round in different places. Held to it is what C sources are made of.
        drop: largest loss of the metric: absolute where it lies in 0..1, else relative to the reference's.
    """

    float32: float = setting(1e-5, "largest error of float32 files, x max(1, largest output)", low=0.0)
    float16: float = setting(1e-2, "the same for float16 files", low=0.0)
    cosine: float = setting(0.99, "lowest mean cosine of quantized files", low=-1.0, high=1.0)
    top1_agreement: float = setting(0.95, "lowest top-1 agreement of quantized files", low=0.0, high=1.0)
    micro_steps: int = setting(4, "largest distance of TensorFlow Lite Micro from LiteRT, in steps", low=0)
    drop: float = setting(0.02, "largest loss of the metric", low=0.0)

    def as_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What was measured, and why it does not pass.

    Attributes:
        parity: goes into the manifest's artifact as it is.
        metric: {"name", "value", "reference", "drop", "interval", "samples", "higher_is_better"}; the interval is the
            paired bootstrap's, of the drop, at 95%; None where there were no targets.
        reasons: one sentence a fault; empty when it passed.
    """

    parity: dict[str, Any]
    metric: dict[str, Any] | None
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the artifact."""
        return not self.reasons


def judge(
    reference: Outputs,
    outputs: Outputs,
    *,
    precision: str,
    signature: Signature,
    gate: Gate | None = None,
    targets: NDArray[Any] | None = None,
    metric: Metric | None = None,
    baseline: Outputs | None = None,
    inputs: Outputs | None = None,
    seed: int = 0,
    float_operators: Collection[str] = (),
    left_float: Collection[str] = (),
) -> Verdict:
    """Hold an artifact's outputs against the float32 reference's on the same samples, name -> (n, ...).

    Args:
        targets: what is right, (n, ...), for `metric`; without both no metric is judged.
        baseline: outputs that the metric's drop is counted from (the model before compression); `reference` if None.
        inputs: the input tensors, where `metric` compares outputs with them.
        seed: of the bootstrap.
        float_operators: as the worker found them; a file called int8 may have none but `left_float`.
        left_float: operators that the quantization plan leaves float, by the runtime's names.
    """
    gate = gate or Gate()
    faults = misfits(reference, outputs, signature)
    if faults:
        return Verdict({}, None, tuple(faults))
    parity = compare(reference, outputs, signature, **_limits(precision, gate))
    reasons = [] if parity.pop("passed") else [in_words(parity)]
    stray = sorted(set(float_operators) - set(left_float)) if precision.startswith("int") else []
    if stray:
        reasons.append(f"called {precision} but computes in float32: {', '.join(stray)}")
    scored = None
    if targets is not None and metric is not None:
        before, after = ({**(inputs or {}), **found} for found in (baseline or reference, outputs))
        scored = _scored(before, after, targets, metric, signature, seed)
        if _lost(scored, metric) > gate.drop:
            most = f"{gate.drop:g}" if metric.is_share else f"{gate.drop:.0%}"
            reasons.append(
                f"{metric.name} goes from {scored['reference']:.4f} to {scored['value']:.4f}, worse by more than {most}"
            )
    return Verdict(parity, scored, tuple(reasons))


def _limits(precision: str, gate: Gate) -> dict[str, Any]:
    if precision in ("float32", "float16"):
        return {"measure": MAX_ABS, "tolerance": gate.float32 if precision == "float32" else gate.float16}
    return {"measure": COSINE, "tolerance": gate.cosine, "top1_tolerance": gate.top1_agreement}


def _scored(
    reference: Outputs, outputs: Outputs, targets: NDArray[Any], metric: Metric, signature: Signature, seed: int
) -> dict[str, Any]:
    before, after = metric.scores(reference, targets, signature), metric.scores(outputs, targets, signature)
    sign = 1.0 if metric.higher_is_better else -1.0
    drop, low, high = paired_bootstrap(sign * before, sign * after, seed=seed)
    return {
        "name": metric.name,
        "value": float(np.mean(after)),
        "reference": float(np.mean(before)),
        "drop": drop,
        "interval": [low, high],
        "samples": len(before),
        "higher_is_better": metric.higher_is_better,
    }


def _lost(scored: Mapping[str, Any], metric: Metric) -> float:
    if metric.is_share:
        return float(scored["drop"])
    return float(scored["drop"]) / max(abs(float(scored["reference"])), 1e-12)
