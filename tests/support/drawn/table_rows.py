"""Signatures of models that learnt from tables and ratings, for tests of families."""

from __future__ import annotations

from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.input.catalogue import CATALOGUE, Catalogue
from dltk.edge.input.vocabulary import VOCABULARY, Vocabulary

__all__ = ["KNOWN", "LABELS", "RECOMMENDATION", "SHOP", "VALUES"]

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
SHOP = Catalogue.of(("ann", "bob"), ("ale", "bun", "cod", "dip"), ((0, 1), (3,)))
RECOMMENDATION = Signature(
    task="recommend",
    family="recommendation",
    inputs=(
        TensorSpec("user", "int32", (None, 1), ("batch", "one"), (0.0, 2.0)),
        TensorSpec("history", "int32", (None, 2), ("batch", "place"), (0.0, 5.0)),
        TensorSpec("weights", "float32", (None, 2, 1), ("batch", "place", "one"), (0.0, 1.0)),
    ),
    outputs=(TensorSpec("scores", "float32", (None, 4), ("batch", "item")),),
    preprocess=(
        {"op": "ratings", "user": "user", "item": "item", "rating": "rating", "time": "time", "lowest": 1.0,
         "highest": 5.0, "liked": 2.0},
        {"op": "history", "length": 2, "half_life": 0, "kept": 3},
        SHOP.op(),
    ),
    postprocess=({"op": "softmax"},),
    assets={CATALOGUE: SHOP.to_bytes()},
)  # fmt: skip
