"""A small residual CNN, trained from scratch.

    dltk finetune cnn --data cifar10

ResNet-8 of He et al. 2015 (arXiv:1512.03385), as MLPerf Tiny uses it: three stages of 16, 32 and 64 filters, about
78,000 weights. Small enough for a microcontroller, and a plain graph: every layer quantizes, prunes and clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dltk.recipe import (
    Augment,
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PruneAndQuantize,
    Recipe,
    SizedImageData,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class Model:
    """The network."""

    filters: tuple[int, ...] = setting(
        (16, 32, 64), "filters of each stage; height and width halve between stages", low=1
    )
    blocks: int = setting(1, "residual blocks per stage", low=1, high=18)
    dropout: float = setting(0.0, "dropout before the last layer", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for data of the size of CIFAR-10: 45 epochs, a cosine from 0.1 down."""

    seed: int = setting(0, "of the split, the first weights, the order and the views", low=0)
    data: SizedImageData = field(default_factory=SizedImageData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(
        default_factory=lambda: Fit(
            epochs=45,
            batch_size=128,
            optimizer="sgd",
            learning_rate=0.1,
            nesterov=True,
            warmup=1.0,
            l2=1e-4,
        )
    )
    # views=0: a new view every epoch. Nothing is cached for a model that trains from its first layer on.
    augment: Augment = field(default_factory=lambda: Augment(views=0, flip=True, translate=0.125))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Convolution, batch norm, ReLU; residual blocks; global average; logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)

    def convolution(x: Any, filters: int, size: int, stride: int = 1) -> Any:
        x = layers.Conv2D(
            filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
        )(x)
        return layers.BatchNormalization(momentum=0.9)(x)  # 0.99 would need hundreds of steps to settle

    def block(x: Any, filters: int, stride: int) -> Any:
        y = layers.ReLU()(convolution(x, filters, 3, stride))
        y = convolution(y, filters, 3)
        if stride > 1 or x.shape[-1] != filters:
            x = convolution(x, filters, 1, stride)
        return layers.ReLU()(layers.Add()([x, y]))

    image = keras.Input(contract.input_shape, name="image")
    x = layers.ReLU()(convolution(image, settings.model.filters[0], 3))
    for stage, filters in enumerate(settings.model.filters):
        for number in range(settings.model.blocks):
            x = block(x, filters, stride=2 if stage > 0 and number == 0 else 1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if settings.model.dropout:
        x = layers.Dropout(settings.model.dropout, seed=settings.seed)(x)
    logits = layers.Dense(contract.output_size, name="logits")(x)
    scale = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
    return Built(keras.Model(image, logits, name="cnn"), (Phase("fit", settings.fit),), (scale,))


recipe = Recipe(
    name="cnn",
    summary="A small residual CNN (ResNet-8), trained from scratch on small images.",
    task="image-classification",
    settings=Settings(),
    build=build,
    smoke={
        "data.size": 16,
        "data.total": lambda settings: max(60, 700 * 32**2 // max(32, settings.data.size) ** 2),
        "model.filters": (8, 16),
        "fit.epochs": 5,
        "fit.batch_size": 32,
        "augment.translate": 0.0,
        "augment.flip": False,
    },
    data=DataHint(
        layout="a folder of images, one subfolder per class; CSV path,label; .npz; or digits, cifar10, fashion-mnist",
        sample="photos/cat/001.jpg\nphotos/cat/002.jpg\nphotos/dog/001.png",
        example="photos",
    ),
)
