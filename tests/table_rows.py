"""Signatures of models that take rows of a table, for tests of families."""

from __future__ import annotations

from dltk.edge.signature import Signature, TensorSpec
from dltk.edge.vocabulary import VOCABULARY, Vocabulary

__all__ = ["KNOWN", "LABELS", "VALUES"]

KNOWN = Vocabulary.of({"city": ["", "Graz", "Linz"], "sex": ["f", "m"]})
_AXES = ("batch", "column")
_INPUTS = (
    TensorSpec("numbers", "float32", (None, 2), _AXES),
    TensorSpec("categories", "int32", (None, 2), _AXES, (0.0, 6.0)),
)
_COLUMNS = {"op": "columns", "numbers": ["age", "rent"], "categories": ["city", "sex"], "empty": ["NA"]}
_STEPS = (
    {"op": "standardize", "mean": [40.0, 500.0], "std": [10.0, 100.0]},
    {"op": "clip", "low": -3.0, "high": 3.0},
    KNOWN.op(),
)
LABELS = Signature(
    task="tabular",
    family="tabular",
    inputs=_INPUTS,
    outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
    preprocess=({**_COLUMNS, "targets": ["income"], "missing": "error"}, *_STEPS),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=("high", "low"),
    assets={VOCABULARY: KNOWN.to_bytes()},
)
VALUES = Signature(
    task="tabular",
    family="tabular-values",
    inputs=_INPUTS,
    outputs=(TensorSpec("values", "float32", (None, 2), ("batch", "target")),),
    preprocess=({**_COLUMNS, "targets": ["income", "debt"], "missing": "mean"}, *_STEPS),
    postprocess=({"op": "unstandardize", "mean": [1000.0, 0.0], "std": [200.0, 1.0]},),
    assets={VOCABULARY: KNOWN.to_bytes()},
)
