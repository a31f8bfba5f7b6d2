"""How far an artifact's outputs may lie from the reference, and how far they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.families import family
from dltk.edge.metrics import max_abs_difference, mean_cosine, top1_agreement
from dltk.edge.recorded import GOLDEN_ERROR
from dltk.edge.signature import Signature

__all__ = ["COSINE", "MAX_ABS", "compare", "in_words", "misfits"]

MAX_ABS, COSINE = "max_abs", "cosine"

Outputs = Mapping[str, NDArray[Any]]


def compare(
    reference: Outputs,
    outputs: Outputs,
    signature: Signature,
    *,
    measure: str,
    tolerance: float,
    top1_tolerance: float | None = None,
) -> dict[str, Any]:
    """The parity of `outputs` with `reference`, both name -> (n, ...), as the manifest records it.

    "max_abs": the largest difference, at most `tolerance` x max(1, largest reference).
    "cosine": the mean cosine, at least `tolerance`; with `top1_tolerance` also the share of samples whose best class
    is the same. One sample may always differ there: among few, a single near tie would decide.

    Returns:
        {"measure", "error", "tolerance", "passed", and what was measured beside it}.
    """
    names = [spec.name for spec in signature.outputs]
    if measure == MAX_ABS:
        error = max(max_abs_difference(reference[name], outputs[name]) for name in names)
        limit = tolerance * max(1.0, *(float(np.abs(reference[name]).max()) for name in names))
        return {"measure": measure, "error": error, "tolerance": tolerance, "limit": limit, "passed": error <= limit}
    cosine = min(mean_cosine(reference[name], outputs[name]) for name in names)
    found = {"measure": measure, "error": 1.0 - cosine, "tolerance": tolerance, "passed": cosine >= tolerance}
    if top1_tolerance is None or family(signature.family).kind(signature) != "single-label":
        return found
    agreement = top1_agreement(reference[names[0]], outputs[names[0]])
    allowed = max(1.0, (1.0 - top1_tolerance) * len(outputs[names[0]]))
    agrees = (1.0 - agreement) * len(outputs[names[0]]) <= allowed + 1e-6  # rounding of the share, not of samples
    return found | {
        "top1_agreement": agreement,
        "top1_tolerance": top1_tolerance,
        "passed": bool(found["passed"]) and agrees,
    }


def in_words(parity: Mapping[str, Any]) -> str:
    """What `compare` or `held` returned, for a person: how far apart, and how far would do."""
    if parity["measure"] == GOLDEN_ERROR:
        worst = (
            "golden sample {sample} lies {error:.3g} from the reference, {recorded:.3g} at export (at most {limit:.3g})"
        )
        return worst.format(**parity)
    if parity["measure"] == MAX_ABS:
        return f"differs from the reference by {parity['error']:.3g} (at most {parity['limit']:.3g})"
    words = f"mean cosine with the reference is {1 - parity['error']:.4f} (at least {parity['tolerance']:g})"
    if "top1_agreement" in parity:
        words += f", top-1 agreement {parity['top1_agreement']:.4f} (at least {parity['top1_tolerance']:g})"
    return words


def misfits(reference: Outputs, outputs: Outputs, signature: Signature, *, may_be_constant: bool = False) -> list[str]:
    """What is wrong with `outputs` before any number is compared: names, shapes, NaN, the same answer to everything.

    Args:
        may_be_constant: a few samples may have one answer where many do not.
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
