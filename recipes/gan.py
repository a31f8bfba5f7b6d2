"""A small DCGAN that generates images like the training images.

    dltk finetune gan --data fashion-mnist --set data.channels=1 --set data.resize=keep

Radford et al. 2015 (arXiv:1511.06434), shrunk. The generator is exported; the discriminator only trains it, with the
hinge loss and at twice its learning rate (arXiv:1706.08500), because it is small. If the images are in one subfolder
per class, it also learns the classes, and the generator learns to make images of a given class (arXiv:1610.09585,
arXiv:1511.06390). A spectral norm on each of its layers (arXiv:1802.05957) is a setting. The folder `samples` of the
run shows the progress of training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dltk.recipe import (
    Adversarial,
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PlainImageData,
    PruneAndQuantize,
    Recipe,
    setting,
)

__all__ = ["recipe"]

_LARGE = 32  # a side from which on the generator begins at an eighth of it: it learns what belongs together first


@dataclass(frozen=True)
class Model:
    """Both networks."""

    filters: int = setting(32, "filters of the generator's last hidden layer and the discriminator's first", low=4)
    spectral_norm: bool = setting(False, "spectral normalization of the discriminator; not with wgan-gp")


@dataclass(frozen=True)
class Settings:
    """Height and width of the images must be a multiple of 4."""

    seed: int = setting(0, "of the first weights, the order and the noise", low=0)
    data: PlainImageData = field(default_factory=lambda: PlainImageData(size=32))
    latent: int = setting(32, "length of the noise vector", low=1, high=4096)
    model: Model = field(default_factory=Model)
    # `momentum` is not Adam's beta_1, which the trainer sets to the paper's 0.5; at the paper's rate of 2e-4 so small a
    # pair had learnt less after as many epochs.
    fit: Fit = field(default_factory=lambda: Fit(epochs=30, learning_rate=5e-4, schedule="constant", average=0.999))
    adversarial: Adversarial = field(default_factory=lambda: Adversarial(critic_rate=2.0, label_weight=4.0))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Generator: dense, two or three transposed convolutions, tanh. Discriminator: three convolutions, dense."""
    import keras

    keras.utils.set_random_seed(settings.seed)
    (shape,) = contract.outputs.values()
    generator = _generator(shape, contract.input_shape, settings.model.filters)
    discriminator = _discriminator(shape, settings.model)
    return Built(generator, (Phase("fit", settings.fit),), parts={"discriminator": discriminator})


def _generator(shape: tuple[int, ...], latent: tuple[int, ...], filters: int) -> Any:
    import keras
    from keras import layers

    doublings = 3 if not shape[0] % 8 and shape[0] >= _LARGE else 2
    side, widest = -(-shape[0] // 2**doublings), 2 ** (doublings - 1) * filters
    noise = keras.Input(latent, name="latent")
    x = layers.Dense(side * side * widest, use_bias=False)(noise)
    x = layers.Reshape((side, side, widest))(layers.ReLU()(layers.BatchNormalization()(x)))
    for times in range(doublings - 2, -1, -1):
        x = layers.Conv2DTranspose(2**times * filters, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    image = layers.Conv2DTranspose(shape[-1], 4, strides=2, padding="same", activation="tanh", name="image")(x)
    return keras.Model(noise, image, name="generator")


def _discriminator(shape: tuple[int, ...], model: Model) -> Any:
    import keras
    from keras import layers

    def kept(layer: Any) -> Any:
        return layers.SpectralNormalization(layer) if model.spectral_norm else layer

    image = keras.Input(shape, name="image")
    x = kept(layers.Conv2D(model.filters, 4, strides=2, padding="same"))(image)
    for times in (2, 4):
        x = kept(layers.Conv2D(times * model.filters, 4, strides=2, padding="same"))(layers.LeakyReLU(0.2)(x))
    x = layers.Flatten()(layers.LeakyReLU(0.2)(x))
    score = kept(layers.Dense(1, name="score"))(x)
    return keras.Model(image, score, name="discriminator")


recipe = Recipe(
    name="gan",
    summary="A small DCGAN: generates images like the training images, from a seed number.",
    task="generate",
    settings=Settings(),
    build=build,
    smoke={
        "data.size": 16,
        "data.total": lambda settings: max(40, 300 * 32**2 // max(32, settings.data.size) ** 2),
        "latent": 8,
        "model.filters": 4,
        "fit.epochs": 2,
    },
    data=DataHint(
        layout="a folder of images in one subfolder or more; or digits, fashion-mnist, cifar10",
        sample="photos/a/001.jpg\nphotos/a/002.jpg\nphotos/b/001.png",
        example="photos",
    ),
)
