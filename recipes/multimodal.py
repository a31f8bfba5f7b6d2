"""An image and a text together: one tower each, joined before the last layers.

    dltk finetune multimodal --data posts.csv

A small residual-free CNN reads the image, convolutions over embeddings (Kim 2014, arXiv:1408.5882) read the text;
their features are concatenated ("late fusion"). `model.towers=image` or `text` omits the other tower: train all three
to see whether both matter for your data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from dltk.recipe import (
    Augment,
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    PairData,
    Phase,
    PruneAndQuantize,
    Recipe,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class Model:
    """The network."""

    towers: Literal["both", "image", "text"] = setting("both", "inputs of the model")
    filters: tuple[int, ...] = setting(
        (16, 32, 64), "filters of the image tower's stages; each halves height and width", low=1
    )
    embedding: int = setting(64, "size of the embedding of a token", low=1, high=4096)
    units: int = setting(64, "features of each tower, and of the layer that joins them", low=1, high=4096)
    dropout: float = setting(0.3, "dropout before the last layer", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for a few thousand small images with a sentence each."""

    seed: int = setting(0, "of the split, the first weights, the order and the views", low=0)
    data: PairData = field(default_factory=PairData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=30, batch_size=64, learning_rate=2e-3, warmup=1.0))
    # The text stays as it is: turn `flip` on only where no text says left or right.
    augment: Augment = field(default_factory=lambda: Augment(views=0, translate=0.08))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Concatenated features of the towers, dense, logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    model, inputs, features = settings.model, [], []
    if model.towers != "text":
        inputs.append(keras.Input(contract.inputs["image"], name="image"))
        features.append(_see(inputs[-1], model))
    if model.towers != "image":
        inputs.append(keras.Input(contract.inputs["tokens"], dtype="int32", name="tokens"))
        features.append(_read(inputs[-1], model, vocabulary=int(contract.input_ranges["tokens"][1]) + 1))
    x = layers.Concatenate(name="joined")(features) if len(features) > 1 else features[0]
    x = layers.Dense(model.units, activation="relu", name="together")(x)
    if model.dropout:
        x = layers.Dropout(model.dropout, seed=settings.seed)(x)
    logits = layers.Dense(contract.output_size, name="logits")(x)
    scale = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
    built = keras.Model(inputs, logits, name="multimodal")
    return Built(built, (Phase("fit", settings.fit),), (scale,) if model.towers != "text" else ())


def _see(x: Any, model: Model) -> Any:
    from keras import layers

    for filters in model.filters:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # 0.99 would need hundreds of steps to settle
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return layers.Dense(model.units, activation="relu", name="seen")(layers.GlobalAveragePooling2D()(x))


def _read(tokens: Any, model: Model, *, vocabulary: int) -> Any:
    from keras import layers

    x = layers.Embedding(vocabulary, model.embedding, name="embedding")(tokens)
    x = layers.Conv1D(model.units, 3, padding="same", activation="relu")(x)
    return layers.Dense(model.units, activation="relu", name="read")(layers.GlobalMaxPooling1D()(x))


recipe = Recipe(
    name="multimodal",
    summary="An image tower and a text tower, joined: one label for an image with a text.",
    task="image-text-classification",
    settings=Settings(),
    build=build,
    smoke={
        "data.size": 16,
        "data.total": lambda settings: max(60, 300 * 32**2 // max(32, settings.data.size) ** 2),
        "data.length": 8,
        "data.vocabulary": 300,
        "data.max_bytes": 100,
        "model.filters": (8,),
        "model.embedding": 8,
        "model.units": 16,
        "fit.epochs": 2,
        "fit.batch_size": 16,
    },
    data=DataHint(
        layout=(
            "a CSV with the columns image, text and label, or as data.path, data.text and data.label name them; paths "
            "start at the CSV's folder, or data.folder in it"
        ),
        sample="image,text,label\nphotos/001.jpg,Fits well and looks good,praise\nphotos/002.jpg,Arrived broken,fault",
        example="posts",
    ),
)
