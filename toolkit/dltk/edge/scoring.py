"""Score a model on a user's own labelled data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltk.edge.bundle.signature import Signature
from dltk.edge.families import Labelled, family, require_finite
from dltk.edge.runtime.port import Session

__all__ = ["score"]

_CHUNK = 64  # samples whose tensors are held at a time


def score(session: Session, signature: Signature, samples: Labelled) -> dict[str, Any]:
    """{"name", "value", "samples"} of the family's first metric.

    Raises:
        InputError: if the model gives numbers that are not finite: they are neither right nor wrong.
    """
    raws, targets = samples.raws, samples.targets
    kind, scores = family(signature.family), []
    for start in range(0, len(raws), _CHUNK):
        piece = slice(start, start + _CHUNK)
        tensors = kind.tensors(raws[piece], signature)
        outputs = {**tensors, **require_finite(session.run(tensors))}
        scores.append(kind.metrics[0].scores(outputs, targets[piece], signature))
    return {"name": kind.metrics[0].name, "value": float(np.concatenate(scores).mean()), "samples": len(raws)}
