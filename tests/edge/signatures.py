"""A small signature of each family."""

from __future__ import annotations

import json

import numpy as np

import tiny
from dltk.base.files import sha256
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family
from dltk.edge.input.preprocess import image_ops
from edge import samples
from table_rows import LABELS, RECOMMENDATION, VALUES

SERIES = Signature(
    task="forecast",
    family="series",
    inputs=(TensorSpec("series", "float32", (None, 3, 2), ("batch", "time", "column")),),
    outputs=(TensorSpec("forecast", "float32", (None, 2, 2), ("batch", "time", "column")),),
    preprocess=(
        {"op": "window", "length": 3, "columns": ["load", "heat"]},
        {"op": "standardize", "mean": [10.0, 0.0], "std": [2.0, 0.5]},
    ),
    postprocess=({"op": "unstandardize", "mean": [10.0, 0.0], "std": [2.0, 0.5]},),
    labels=("load", "heat"),
)
GENERATOR = Signature(
    task="generate",
    family="generator",
    inputs=(TensorSpec("latent", "float32", (None, 5), ("batch", "latent")),),
    outputs=(TensorSpec("image", "float32", (None, 2, 3, 1), tiny.IMAGE_AXES, (-1.0, 1.0)),),
    preprocess=({"op": "normal", "shape": [5]},),
    postprocess=({"op": "to_uint8", "multiply": 127.5, "add": 127.5},),
)
POLICY = Signature(
    task="control",
    family="policy",
    inputs=(TensorSpec("observation", "float32", (None, 2), ("batch", "number")),),
    outputs=(TensorSpec("values", "float32", (None, 2), ("batch", "action")),),
    preprocess=({"op": "standardize", "mean": [3.0, 3.0], "std": [2.0, 1.0]},),
)
AUDIO = Signature(
    task="audio-keyword",
    family="audio",
    inputs=(TensorSpec("sound", "float32", (None, 9, 8, 1), ("batch", "time", "band", "channel")),),
    outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
    preprocess=(
        {"op": "sound", "rate": 8000, "samples": 1600},
        {"op": "peak"},
        {
            "op": "log_mel", "rate": 8000, "frame": 256, "hop": 160, "fft": 256, "bands": 8, "low": 60.0,
            "high": 4000.0, "floor": 1e-6,
        },
        {"op": "standardize", "mean": [[-5.0]] * 8, "std": [[3.0]] * 8},
    ),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=("high", "low"),
)  # fmt: skip
TOKENIZER = b"""{"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
    "added_tokens": [], "decoder": null, "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel",
    "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "card": 2, "pin": 3, "lost": 4, "where": 5}}}"""
TEXT = Signature(
    task="text-classification",
    family="text",
    inputs=(
        TensorSpec("tokens", "int32", (None, 6), ("batch", "token"), (0, 5)),
        TensorSpec("positions", "int32", (None, 6), ("batch", "token"), (0, 6)),
    ),
    outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
    preprocess=(
        {"op": "text", "column": "text", "label": "label", "max_bytes": 100},
        {"op": "tokenize", "file": "tokenizer.json", "sha256": sha256(TOKENIZER)},
    ),
    postprocess=({"op": "softmax"},),
    labels=("card", "pin"),
    assets={"tokenizer.json": TOKENIZER},
)
IMAGE_TEXT = Signature(
    task="image-text-classification",
    family="image-text",
    inputs=(TensorSpec("image", "float32", (None, 4, 5, 3), tiny.IMAGE_AXES), TEXT.inputs[0]),
    outputs=TEXT.outputs,
    preprocess=({"op": "decode", "mode": "RGB"}, {"op": "resize", "height": 4, "width": 5}, *TEXT.preprocess),
    postprocess=TEXT.postprocess,
    labels=TEXT.labels,
    assets=TEXT.assets,
)
SEGMENTATION = Signature(
    task="segmentation",
    family="segmentation",
    inputs=(TensorSpec("image", "float32", (None, 4, 6, 3), tiny.IMAGE_AXES),),
    outputs=(TensorSpec("logits", "float32", (None, 4, 6, 3), ("batch", "height", "width", "class")),),
    preprocess=(*image_ops(4, 6), {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=("ground", "leaf", "fruit"),
)
SIGNATURES = {
    "classification": tiny.SIGNATURE,
    "series": SERIES,
    "generator": GENERATOR,
    "text": TEXT,
    "audio": AUDIO,
    "image-text": IMAGE_TEXT,
    "policy": POLICY,
    "recommendation": RECOMMENDATION,
    "tabular": LABELS,
    "tabular-values": VALUES,
    "segmentation": SEGMENTATION,
} | samples.SIGNATURES


def answered(signature: Signature) -> None:
    """From raw samples to what is printed, with outputs of zeros."""
    kind = family(signature.family)
    raws = kind.synthetic(signature, count=2, seed=0)
    tensors = kind.tensors(raws, signature)
    outputs = {spec.name: np.zeros((2, *spec.sample_shape), np.float32) for spec in signature.outputs}
    for answer in kind.predictions({**tensors, **kind.narrow(outputs, raws, signature)}, signature, top=2):
        json.dumps(kind.as_json(answer))
        assert isinstance(kind.as_text(answer), str)
