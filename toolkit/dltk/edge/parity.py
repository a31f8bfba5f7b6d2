"""How far an artifact's outputs may lie from the reference, and how far they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.intervals import enough_samples_text, mean_decides, mean_interval, samples_needed, share_interval
from dltk.edge.metrics import cosines, max_abs_difference
from dltk.edge.recorded_errors import GOLDEN_ERROR

__all__ = ["COSINE", "MAX_ABS", "MET", "MISSED", "UNDECIDED", "compare", "decision", "parity_text", "output_faults"]

MAX_ABS, COSINE = "max_abs", "cosine"
MET, MISSED, UNDECIDED = "met", "missed", "undecided"

Outputs = Mapping[str, NDArray[Any]]


def compare(
    reference: Outputs,
    outputs: Outputs,
    signature: Signature,
    *,
    measure: str,
    tolerance: float,
    top1_tolerance: float | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """The parity of `outputs` with `reference`, both name -> (n, ...), as the manifest records it.

    "max_abs": the largest difference, at most `tolerance` x max(1, largest reference).
    "cosine": the mean cosine, at least `tolerance`; with `top1_tolerance` also the share of samples whose best class
    is the same. Both count samples: what fails is what they show to be beyond its limit, at 95%. What they cannot
    decide passes with a note; with `strict` it fails.

    Returns:
        {"measure", "error", "tolerance", "passed", and what was measured beside it; "notes" where there are any, and
        "faults" where it did not pass, texts}.
    """
    names = [spec.name for spec in signature.outputs]
    if measure == MAX_ABS:
        error = max(max_abs_difference(reference[name], outputs[name]) for name in names)
        limit = tolerance * max(1.0, *(float(np.abs(reference[name]).max()) for name in names))
        found = {"measure": measure, "error": error, "tolerance": tolerance, "limit": limit, "passed": error <= limit}
        return found if found["passed"] else found | {"faults": [parity_text(found)]}
    found = {"measure": measure, "tolerance": tolerance, "samples": len(outputs[names[0]])}
    decided = [_cosine(reference, outputs, names, tolerance, found)]
    if top1_tolerance is not None and family(signature.family).kind(signature) == "single-label":
        decided.append(_agreement(reference[names[0]], outputs[names[0]], top1_tolerance, found))
    notes = [words for ends, words in decided if ends == UNDECIDED]
    faults = [words for ends, words in decided if ends == MISSED] + (notes if strict else [])
    found |= {"passed": not faults}
    found |= {"notes": notes} if notes and not strict else {}
    return found | ({"faults": faults} if faults else {})


def decision(limit: float, low: float, high: float) -> str:
    """Compare an interval with `limit`; one without numbers has missed it."""
    if not low <= limit:
        return MISSED
    return MET if high <= limit else UNDECIDED


def _cosine(
    reference: Outputs, outputs: Outputs, names: list[str], tolerance: float, found: dict[str, Any]
) -> tuple[str, str]:
    """The decision about the output that is farthest off, and words for it; what was measured goes into `found`."""
    all_of = {name: cosines(reference[name], outputs[name]) for name in names}
    values = min(all_of.values(), key=lambda each: float(each.mean()))
    lost, count = 1.0 - values, len(values)
    low, high = mean_interval(lost)
    found |= {"error": float(lost.mean()), "interval": [low, high]}
    words = f"mean cosine with the reference is {1 - lost.mean():.4f} on {count} samples (at least {tolerance:g})"
    ends = decision(1.0 - tolerance, low, high)
    if ends == UNDECIDED:
        away = abs(float(lost.mean()) - (1.0 - tolerance))
        more = samples_needed(mean_decides(float(lost.var(ddof=1)), away), count)
        words += f", {1 - high:.4f} to {1 - low:.4f} at 95%, which is not conclusive; {enough_samples_text(more)}"
    return ends, words


def _agreement(
    reference: NDArray[Any], outputs: NDArray[Any], tolerance: float, found: dict[str, Any]
) -> tuple[str, str]:
    changed, count = int((reference.argmax(-1) != outputs.argmax(-1)).sum()), len(outputs)
    found |= {"top1_agreement": 1 - changed / count, "top1_tolerance": tolerance, "top1_changed": changed}
    low, high = share_interval(changed, count)
    ends = decision(1.0 - tolerance, low, high)
    words = f"{changed} of {count} predictions changed"
    if ends == UNDECIDED:
        share, limit = changed / count, 1.0 - tolerance
        more = samples_needed(
            lambda many: decision(limit, *share_interval(round(share * many), round(many))) != UNDECIDED, count
        )
        return (
            ends,
            f"{words}; {count} samples cannot decide a top-1 agreement of {tolerance:g}; {enough_samples_text(more)}",
        )
    return (
        ends,
        f"{words}: top-1 agreement {1 - changed / count:.4f}, at most {1 - low:.4f} at 95% (at least {tolerance:g})",
    )


def parity_text(parity: Mapping[str, Any]) -> str:
    """What `compare` or `check_replay` returned, for a person: how far apart, and how far would do."""
    if parity["measure"] == GOLDEN_ERROR:
        unit = " quantization steps" if parity.get("in_steps") else ""
        worst = "differs from the reference by {error:.3g}{unit} in golden sample {sample}, by {recorded:.3g} at export"
        return f"{worst} (at most {{limit:.3g}})".format(**parity, unit=unit)
    if parity["measure"] == MAX_ABS:
        return f"differs from the reference by {parity['error']:.3g} (at most {parity['limit']:.3g})"
    words = f"mean cosine with the reference is {1 - parity['error']:.4f} (at least {parity['tolerance']:g})"
    if "top1_agreement" in parity:
        words += f", top-1 agreement {parity['top1_agreement']:.4f} (at least {parity['top1_tolerance']:g})"
    return words


def output_faults(
    reference: Outputs, outputs: Outputs, signature: Signature, *, may_be_constant: bool = False
) -> list[str]:
    """What is wrong with `outputs` before any number is compared: names, shapes, NaN, equal outputs for all samples.

    Args:
        may_be_constant: a few samples may have one prediction where many do not.
    """
    reasons = []
    if set(outputs) != {spec.name for spec in signature.outputs}:
        return [f"outputs are {', '.join(sorted(outputs))}, not {', '.join(spec.name for spec in signature.outputs)}"]
    for spec in signature.outputs:
        found, wanted = outputs[spec.name], reference[spec.name]
        if found.shape != wanted.shape or found.shape[1:] != spec.sample_shape:
            reasons.append(f"{spec.name} has shape {found.shape}, not {wanted.shape}")
        elif not np.isfinite(found).all():
            reasons.append(f"{spec.name} holds numbers that are not finite")
        elif not may_be_constant and _is_constant(found) and not _is_constant(wanted):
            reasons.append(f"{spec.name} is the same for every sample")
    return reasons


def _is_constant(values: NDArray[Any]) -> bool:
    return len(values) > 1 and bool((values == values[:1]).all())
