"""What an artifact lost of a metric, with its 95% interval, and whether that is beyond a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.families.shared.base import Metric
from dltk.edge.gains import amount_text
from dltk.edge.intervals import enough_samples_text, mean_decides, paired_interval, samples_needed
from dltk.edge.metrics import paired_bootstrap
from dltk.edge.parity import MET, UNDECIDED, decision

__all__ = ["MetricDrop", "metric_drop"]

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class MetricDrop:
    """A metric before and after, on the same samples.

    Attributes:
        found: as `Verdict.metric`; None where the metric has no value.
        fault: why it has none.
        variance: of one sample's loss.
    """

    found: dict[str, Any] | None
    fault: str = ""
    variance: float = 0.0

    def against(self, drop: float) -> tuple[str, str]:
        """Whether the samples show a loss of at most `drop`, and the same in words.

        Args:
            drop: absolute where the metric lies in 0..1, else relative to the reference's.
        """
        assert self.found is not None
        found, limit = self.found, drop * self._scale
        low, high = found["interval"]
        ends = decision(limit, low, high)
        if ends == MET:
            return ends, ""
        most = amount_text(limit, found["is_share"]) if found["is_share"] else f"{drop:.2%}".replace(".00%", "%")
        count, name = found["samples"], found["name"]
        changed = f"{found['changed']} of {count} predictions changed" if "changed" in found else self._figures()
        if ends == UNDECIDED:
            more = enough_samples_text(samples_needed(self._decides(limit), count))
            return ends, f"{name}: {changed}; {count} samples cannot decide {most}; {more}"
        lowest = amount_text(low, found["is_share"])
        figures = f"{name} changes from {found['reference']:.4f} to {found['value']:.4f}, worse by more than {most}"
        return ends, f"{figures}: {changed}, at least {lowest} lost at 95%"

    def accepted(self, *, strict: bool) -> float:
        """The least limit, with three digits, that this loss meets."""
        assert self.found is not None
        return math.ceil(self.found["interval"][1 if strict else 0] / self._scale * 1000) / 1000

    @property
    def _scale(self) -> float:
        """The metric's unit of a limit of 1."""
        assert self.found is not None
        return 1.0 if self.found["is_share"] else max(abs(float(self.found["reference"])), 1e-12)

    def _figures(self) -> str:
        assert self.found is not None
        low, high = (amount_text(end, self.found["is_share"]) for end in self.found["interval"])
        return f"from {self.found['reference']:.4f} to {self.found['value']:.4f}, a loss of {low} to {high} at 95%"

    def _decides(self, limit: float) -> Any:
        """For `samples_needed`: whether more samples like these would."""
        assert self.found is not None
        found, count = self.found, self.found["samples"]
        if "worse" not in found:
            return mean_decides(self.variance, abs(found["drop"] - limit))
        worse, better = found["worse"] / count, found["better"] / count
        return lambda many: decision(limit, *paired_interval(worse * many, better * many, many)) != UNDECIDED


def metric_drop(
    reference: Outputs, outputs: Outputs, targets: NDArray[Any], metric: Metric, signature: Signature, seed: int
) -> MetricDrop:
    """What `outputs` lost of `metric` against `reference`, both name -> (n, ...), beside the inputs it may look at."""
    before, after = (np.asarray(metric.scores(found, targets, signature), np.float64) for found in (reference, outputs))
    known = np.isfinite(before) & np.isfinite(after)
    if not len(before) or not known.all():
        lacking = f"{int((~known).sum())} of {len(before)} samples"
        return MetricDrop(None, f"{metric.name} cannot be computed: it is no finite number on {lacking}")
    sign = 1.0 if metric.higher_is_better else -1.0
    losses = sign * (before - after)
    found: dict[str, Any] = {
        "name": metric.name,
        "value": float(after.mean()),
        "reference": float(before.mean()),
        "drop": float(losses.mean()),
        "samples": len(before),
        "higher_is_better": metric.higher_is_better,
        "is_share": metric.is_share,
    }
    if metric.is_share and np.isin(before, (0, 1)).all() and np.isin(after, (0, 1)).all():
        found |= {"worse": int((losses > 0).sum()), "better": int((losses < 0).sum())}
        interval = paired_interval(found["worse"], found["better"], len(before))
    elif metric.is_share and not losses.any():  # no sample changed: how many of all might, is what is known
        interval = paired_interval(0, 0, len(before))
    else:
        interval = paired_bootstrap(sign * before, sign * after, seed=seed)[1:]
    found["interval"] = list(interval)
    changed = _changed(reference, outputs, signature, found)
    found |= {} if changed is None else {"changed": changed}
    return MetricDrop(found, "", float(losses.var(ddof=1)) if len(losses) > 1 else 0.0)


def _changed(reference: Outputs, outputs: Outputs, signature: Signature, found: Mapping[str, Any]) -> int | None:
    """Predictions that changed: classes, where a sample has one, else those that turned right or wrong."""
    if "worse" not in found:
        return None
    name = signature.outputs[0].name
    if family(signature.family).kind(signature) == "single-label" and reference[name].ndim == 2:
        return int((reference[name].argmax(-1) != outputs[name].argmax(-1)).sum())
    return int(found["worse"] + found["better"])
