"""A data set of 12 x 12 images and a model of a few hundred weights: every test of training uses these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dltk.data.dataset import Dataset, Split
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.models.backend import keras
from dltk.recipe import Augment, Fit

SIDE, LABELS = 12, ("cat", "dog", "owl")
IMAGE = TensorSpec("image", "float32", (None, SIDE, SIDE, 3), ("batch", "height", "width", "channel"))
LOGITS = TensorSpec("logits", "float32", (None, 3), ("batch", "class"))
SCALE = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
SIGNATURE = Signature(
    "image-classification", "classification", (IMAGE,), (LOGITS,), (SCALE,), ({"op": "softmax", "temperature": 1.0},),
    LABELS
)  # fmt: skip
AUGMENT = Augment(views=0, flip=True, rotate=10.0, translate=0.1, zoom=0.1, contrast=0.2, mixup=0.2)
EVERYTHING = Fit(epochs=6, batch_size=16, warmup=1.0, average=0.9, label_smoothing=0.1, l2=1e-4, clip_norm=5.0)


def dataset(train: int = 90, held_out: int = 30, *, multi_label: bool = False) -> Dataset:
    """Brightness tells the class, with noise; sizes leave a smaller last batch."""
    draw = np.random.Generator(np.random.PCG64(5))
    count = train + 2 * held_out
    classes = draw.integers(0, 3, count)
    store = (draw.integers(0, 120, (count, SIDE, SIDE, 3)) + classes[:, None, None, None] * 60).astype(np.uint8)
    targets = np.stack([classes > 0, classes > 1, classes == 1], 1).astype(np.float32) if multi_label else classes
    rows = np.split(np.arange(count), [train, train + held_out])
    splits = [Split(store, found, targets[found]) for found in rows]
    return Dataset(*splits, labels=LABELS, digest=f"{train}-{held_out}", source="made up", report={})


def model(seed: int = 1, *, library: Any = keras) -> Any:
    """Two convolutions with batch norm, dropout, logits; "cut" and "top" are places to freeze through."""
    library.utils.set_random_seed(seed)
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3), name="image")
    x = layers.BatchNormalization(name="norm_1")(layers.Conv2D(6, 3, name="conv_1")(image))
    x = layers.ReLU(name="cut")(x)
    x = layers.BatchNormalization(name="norm_2")(layers.Conv2D(6, 3, name="conv_2")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.ReLU(name="top")(x))
    logits = layers.Dense(3, name="logits")(layers.Dropout(0.3, name="dropout")(x))
    return library.Model(image, logits)


def weights(found: Any) -> list[np.ndarray]:
    """Copies of all weights."""
    return [np.array(value) for value in found.get_weights()]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Equal to the bit."""
    return len(one) == len(other) and all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def checkpoint(folder: Path) -> Path:
    """Where a test keeps its phase."""
    return folder / "checkpoints" / "fit.npz"
