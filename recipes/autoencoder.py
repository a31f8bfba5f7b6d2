"""An autoencoder: finds anomalies, removes noise, or encodes a sample as a short vector.

    dltk finetune autoencoder --data fashion-mnist --set data.normal=Sneaker
    dltk finetune autoencoder --data sensors.csv --set data.normal=ok
    dltk finetune autoencoder --data photos --set use=denoise --set augment.noise=0.2
    dltk finetune autoencoder --data photos --set use=embed --set model.code=32

Hinton and Salakhutdinov 2006 (doi:10.1126/science.1127647); with noise, Vincent et al. 2008
(doi:10.1145/1390156.1390294). With a narrow code, normal samples are reconstructed well and others are not.
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
    Phase,
    PlainImageData,
    PruneAndQuantize,
    Recipe,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class Data(PlainImageData):
    """Images, or the rows of a CSV."""

    normal: str = setting("normal", "use=anomaly: the normal class; all others are anomalies")
    label: str = setting("label", "CSV of numbers: the column that marks normal rows, if there is one")
    columns: tuple[str, ...] = setting((), "CSV of numbers: the input columns; none: all but the label")


@dataclass(frozen=True)
class Model:
    """The network: an encoder, and a decoder that mirrors it."""

    kind: Literal["auto", "dense", "convolutional"] = setting("auto", "kind of layers; auto: convolutional for images")
    code: int = setting(16, "size of the code", low=1, high=4096)
    units: tuple[int, ...] = setting((64, 32), "dense: units of the encoder's layers", low=1)
    filters: tuple[int, ...] = setting(
        (16, 32), "convolutional: filters of each layer; each halves height and width", low=1
    )


@dataclass(frozen=True)
class Settings:
    """Defaults learn one class without noise; `augment.noise` prevents the network from copying its input."""

    seed: int = setting(0, "of the split, the first weights, the order and the noise", low=0)
    use: Literal["anomaly", "denoise", "embed"] = setting(
        "anomaly", "output of the model: score and verdict, the sample without noise, or the code"
    )
    quantile: float = setting(
        0.95, "use=anomaly: share of normal validation samples below the threshold", low=0.5, high=1.0
    )
    data: Data = field(default_factory=lambda: Data(largest=28, channels=1))
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=40, batch_size=64, learning_rate=2e-3))
    # views=0: new noise every epoch.
    augment: Augment = field(default_factory=lambda: Augment(views=0))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Encoder, code, decoder. The device gets all of it, or the encoder alone with use=embed.

    Raises:
        InputError: if `model.kind` is convolutional and samples are rows of numbers.
    """
    import keras

    keras.utils.set_random_seed(settings.seed)
    ((name, shape),) = contract.inputs.items()
    images = len(shape) == 3
    kind = settings.model.kind
    if kind == "convolutional" and not images:
        from dltk.base.errors import InputError

        raise InputError("setting model.kind", "must be dense for rows of numbers", kind)
    convolutional = images and kind != "dense"
    sample = keras.Input(shape, name=name)
    code = (_convolutional_encoder if convolutional else _dense_encoder)(sample, settings.model)
    restored = (_convolutional_decoder if convolutional else _dense_decoder)(code, shape, settings.model)
    whole = keras.Model(sample, restored, name="autoencoder")
    scale = {"op": "scale", "multiply": [1 / 255] * shape[-1], "add": [0.0] * shape[-1]}
    preprocess = (scale,) if images else ()
    phases = (Phase("fit", settings.fit),)
    if settings.use == "embed":
        return Built(keras.Model(sample, code, name="encoder"), phases, preprocess, parts={"autoencoder": whole})
    return Built(whole, phases, preprocess)


def _dense_encoder(x: Any, model: Model) -> Any:
    from keras import layers

    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    for units in model.units:
        x = layers.Dense(units, activation="relu")(x)
    return layers.Dense(model.code, name="code")(x)


def _dense_decoder(x: Any, shape: tuple[int, ...], model: Model) -> Any:
    import math

    from keras import layers

    for units in reversed(model.units):
        x = layers.Dense(units, activation="relu")(x)
    if len(shape) == 1:
        return layers.Dense(shape[0], name="restored")(x)
    x = layers.Dense(math.prod(shape), activation="sigmoid")(x)
    return layers.Reshape(shape, name="restored")(x)


def _convolutional_encoder(x: Any, model: Model) -> Any:
    from keras import layers

    for filters in model.filters:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return layers.Dense(model.code, name="code")(layers.Flatten()(x))


def _convolutional_decoder(x: Any, shape: tuple[int, ...], model: Model) -> Any:
    """As many upsamplings as there were downsamplings; if a size was odd, the edge is cropped."""
    from keras import layers

    times = 2 ** len(model.filters)
    rows, columns = -(-shape[0] // times), -(-shape[1] // times)
    x = layers.Dense(rows * columns * model.filters[-1], activation="relu")(x)
    x = layers.Reshape((rows, columns, model.filters[-1]))(x)
    for filters in (*reversed(model.filters[:-1]), model.filters[0]):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    over = rows * times - shape[0], columns * times - shape[1]
    if any(over):
        x = layers.Cropping2D(tuple((more // 2, more - more // 2) for more in over))(x)
    return layers.Conv2D(shape[-1], 3, padding="same", activation="sigmoid", name="restored")(x)


recipe = Recipe(
    name="autoencoder",
    summary="An autoencoder for images or rows of numbers: anomalies, noise, or short codes.",
    task="autoencode",
    settings=Settings(),
    build=build,
    smoke={
        "data.size": 12,
        "data.total": lambda settings: max(100, 600 * 32**2 // max(32, settings.data.size) ** 2),
        "model.code": 4,
        "model.units": (8,),
        "model.filters": (4, 8),
        "fit.epochs": 2,
    },
    data=DataHint(
        layout="images as for the image recipes, or a CSV of numbers with or without a column of labels",
        sample="temperature,vibration,label\n61.2,0.31,normal\n88.0,1.92,worn",
        example="sensors",
    ),
)
