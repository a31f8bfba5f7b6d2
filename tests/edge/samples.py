"""Signatures of models that take an image or a row of numbers, one a family."""

from __future__ import annotations

from dltk.edge.bundle.signature import Signature, TensorSpec

PIXELS = TensorSpec("image", "float32", (None, 4, 6, 1), ("batch", "height", "width", "channel"), (0.0, 1.0))
READ_IMAGE = (
    {"op": "decode", "mode": "L", "max_pixels": 1000},
    {"op": "resize", "height": 4, "width": 6, "method": "bilinear", "fit": "stretch"},
    {"op": "scale", "multiply": [1 / 255], "add": [0.0]},
)
ROW = TensorSpec("row", "float32", (None, 2), ("batch", "column"))
MOMENTS = {"mean": [10.0, -1.0], "std": [2.0, 0.5]}
READ_ROW = ({"op": "columns", "names": ["heat", "load"]}, {"op": "standardize", **MOMENTS})
THRESHOLD = {"op": "threshold", "at": 0.5, "quantile": 0.95, "normal": "ok", "label": "state"}
NOISE = {"op": "noise", "deviation": 0.1}


def _made(family: str, spec: TensorSpec, read: tuple, *after: dict, output: TensorSpec | None = None) -> Signature:
    restored = TensorSpec("restored", "float32", spec.shape, spec.axes)
    return Signature("autoencode", family, (spec,), (output or restored,), read, after)


ANOMALY_IMAGE, ANOMALY_ROW = (
    _made("anomaly", spec, read, THRESHOLD) for spec, read in ((PIXELS, READ_IMAGE), (ROW, READ_ROW))
)
RESTORE_IMAGE = _made("restore", PIXELS, READ_IMAGE, {"op": "to_uint8", "multiply": 255.0, "add": 0.0}, NOISE)
RESTORE_ROW = _made("restore", ROW, READ_ROW, {"op": "unstandardize", **MOMENTS}, NOISE)
EMBEDDING = _made("embedding", ROW, READ_ROW, output=TensorSpec("code", "float32", (None, 3), ("batch", "code")))
SIGNATURES = {"anomaly": ANOMALY_ROW, "restore": RESTORE_IMAGE, "embedding": EMBEDDING}
