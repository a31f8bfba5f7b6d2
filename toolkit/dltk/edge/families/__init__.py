"""The families by name. A new kind of model adds one file here and one row to this table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import ActionFamily, Family, Kind, Labelled, Metric, Tensors

__all__ = [
    "FAMILIES",
    "ActionFamily",
    "Family",
    "Kind",
    "Labelled",
    "Metric",
    "Tensors",
    "compared_inputs",
    "compares_inputs",
    "family",
    "require_finite",
]

FAMILIES = {  # name -> module that holds `FAMILY`; imported when first asked for
    "classification": "dltk.edge.families.classification",
    "series": "dltk.edge.families.series",
    "generator": "dltk.edge.families.generator",
    "anomaly": "dltk.edge.families.anomaly",
    "restore": "dltk.edge.families.restore",
    "embedding": "dltk.edge.families.embedding",
    "audio": "dltk.edge.families.audio",
    "text": "dltk.edge.families.text",
    "image-text": "dltk.edge.families.image_text",
    "policy": "dltk.edge.families.policy",
    "recommendation": "dltk.edge.families.recommendation",
    "tabular": "dltk.edge.families.tabular",
    "tabular-values": "dltk.edge.families.tabular_values",
    "segmentation": "dltk.edge.families.segmentation",
}


def family(name: str) -> Family:
    """The family called `name`.

    Raises:
        InputError: if this version of dltk does not know it.
    """
    if name not in FAMILIES:
        raise InputError(f"family {name!r}", "is not known to this version of dltk", hint=did_you_mean(name, FAMILIES))
    found: Family = import_module(FAMILIES[name]).FAMILY
    return found


def require_finite(outputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """`outputs` of a model, name -> (n, ...), checked for NaN and infinity before a family decodes them.

    Raises:
        InputError: naming the output and the sample, if a number is not finite.
    """
    for name, array in outputs.items():
        if not np.isfinite(array).all():
            sample = int(np.argwhere(~np.isfinite(array))[0][0])
            hint = "The model is damaged, or the sample is far from the training data."
            raise InputError(f"output {name!r}", "must be finite numbers", f"NaN or infinity, sample {sample}", hint)
    return outputs


def compared_inputs(raws: NDArray[Any], signature: Signature) -> Tensors:
    """The input tensors of raw samples (n, ...) where the family's metrics compare outputs with them, else none.

    They take as much memory as outputs of the same shape, so they are kept only if needed.
    """
    return family(signature.family).tensors(raws, signature) if compares_inputs(signature) else {}


def compares_inputs(signature: Signature) -> bool:
    """Whether a metric of the family compares outputs with input tensors."""
    return any(metric.compares_inputs for metric in family(signature.family).metrics)
