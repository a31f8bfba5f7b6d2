"""A U-Net on a pretrained backbone: one class per pixel.

    dltk finetune segmentation --data parts/

Encoder features of every resolution are concatenated with those of the decoder (Ronneberger et al. 2015,
arXiv:1505.04597). The decoder uses nearest upsampling, which every runtime has in int8, and convolutions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from dltk.recipe import (
    CACHE_HELP,
    Augment,
    Built,
    CacheUse,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PruneAndQuantize,
    Recipe,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class MaskData:
    """Images with masks: size, reading and split."""

    size: int = setting(96, "height and width of the model's input, in pixels, a multiple of 32", low=32, high=1024)
    resize: Literal["stretch", "crop", "pad"] = setting("stretch", "how an image is made square")
    images: str = setting("", "folder of the images; empty: images/ or another usual name")
    masks: str = setting("", "folder of the masks; empty: masks/ or another usual name")
    classes: str = setting("", "file that names the class of each number, one per line; empty: labels.txt or such")
    colours: str = setting("", "file with red, green, blue and name of each class; empty: class_dict.csv or such")
    ignore: tuple[str, ...] = setting((), "numbers, colours or labels in masks that are in no loss and no metric")
    numbers: Literal["auto", "as-is", "ranked"] = setting(
        "auto", "as-is: numbers in masks are classes; ranked: those that occur are, in their order"
    )
    validation: float = setting(0.1, "share of the validation split, if the data has no splits", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split, if the data has no splits", low=0.0, high=0.8)
    limit: int = setting(0, "use at most this many training samples; 0: all", low=0)
    total: int = setting(0, "read at most about this many samples, from every class; 0: all", low=0)
    max_unreadable: float = setting(0.05, "stop if a larger share of the images cannot be read", low=0.0, high=1.0)
    max_pixels: int = setting(50_000_000, "refuse an image with more pixels, before decoding it", low=1)
    cache: CacheUse = setting("trust", CACHE_HELP)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """The network; `dltk backbones` lists the backbones."""

    backbone: str = setting("mobilenet-v2", "name of the backbone")
    weights: str = setting("imagenet", "imagenet, none (random), or a file of weights")
    alpha: float = setting(1.0, "width multiplier, where the backbone has several", low=0.1, high=2.0)
    filters: tuple[int, ...] = setting(
        (128, 64, 48, 32, 16), "filters of the decoder, one number per upsampling", low=1
    )


@dataclass(frozen=True)
class PixelFit(Fit):
    """As `Fit`. Small sets make few steps an epoch."""

    by_count: bool = setting(
        True, "under 400 training images: batches of 4 where the batch size has its default, for more steps; false: off"
    )


_FEW, _FEW_BATCH = 400, 4  # training images below which batches are small
_BATCH = 16


@dataclass(frozen=True)
class Settings:
    """Everything trains from the start: because of the skip connections, no part can be frozen."""

    seed: int = setting(0, "of the split, the first weights, the order and the views", low=0)
    data: MaskData = field(default_factory=MaskData)
    model: Model = field(default_factory=Model)
    fit: PixelFit = field(
        default_factory=lambda: PixelFit(
            epochs=40, least_steps=800, batch_size=_BATCH, learning_rate=1e-3, warmup=1.0, patience=40
        )
    )
    # Masks move with their pictures; a view every epoch, since nothing is cached.
    augment: Augment = field(default_factory=lambda: Augment(views=0, flip=True))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Backbone, then five times: upsample, concatenate, convolve; logits per pixel."""
    import keras
    from keras import layers

    from dltk.models.backbones.build import build_backbone

    keras.utils.set_random_seed(settings.seed)
    height, width, channels = contract.input_shape
    filters = settings.model.filters
    _check_steps(height, len(filters))
    backbone = build_backbone(
        settings.model.backbone,
        input_shape=(height, width, channels),
        weights=settings.model.weights,
        alpha=settings.model.alpha,
        seed=settings.seed,
    )
    x = backbone.features
    for step, count in enumerate(filters):
        x = _convolved(x, count, 1, f"up_{step}_narrow")
        x = layers.UpSampling2D(2, interpolation="nearest", name=f"up_{step}")(x)
        side = height >> (4 - step)
        if side < height and (skip := _last_of_side(backbone.model, side)) is not None:
            x = layers.Concatenate(name=f"up_{step}_join")([x, skip])
        x = _convolved(x, count, 3, f"up_{step}_conv")
    logits = layers.Conv2D(contract.output_size, 1, name="logits")(x)
    reverse = ({"op": "reverse_channels"},) if backbone.scale.reverse_channels else ()
    scale = {"op": "scale", "multiply": list(backbone.scale.multiply), "add": list(backbone.scale.add)}
    model = keras.Model(backbone.inputs, logits, name="unet")
    fit, notes = _fit(settings.fit, contract)
    return Built(model, (Phase("fit", fit),), (*reverse, scale), notes={"weights": backbone.source, **notes})


def _fit(asked: PixelFit, contract: Contract) -> tuple[Fit, dict[str, str]]:
    """The training phase, and a note if the number of images changed its batch size."""
    fit = Fit(**{name: value for name, value in asdict(asked).items() if name != "by_count"})
    count = contract.facts.get("samples", _FEW)
    if not asked.by_count or fit.batch_size != _BATCH or count >= _FEW:
        return fit, {}
    note = f"batches of {_FEW_BATCH}, {count} training images; --set fit.by_count=false uses {_BATCH}"
    return replace(fit, batch_size=_FEW_BATCH), {"fit": note}


def _convolved(x: Any, filters: int, size: int, name: str) -> Any:
    from keras import layers

    x = layers.Conv2D(filters, size, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _last_of_side(model: Any, side: int) -> Any:
    """The last features of the backbone of this size; None if padding removes all of it."""
    found = [layer.output for layer in model.layers if tuple(layer.output.shape[1:3]) == (side, side)]
    return found[-1] if found else None


def _check(settings: Settings) -> None:
    from dltk.models.backbones.fit import check_backbone

    _check_steps(settings.data.size, len(settings.model.filters))
    check_backbone(settings)


def _check_steps(size: int, steps: int) -> None:
    from dltk.base.errors import InputError

    if size % 32:
        raise InputError(
            "setting data.size", "must be a multiple of 32, because the backbone halves the size five times", size
        )
    if steps != 5:
        raise InputError("setting model.filters", "must be 5 numbers, one per upsampling", steps)


def _smoke_alpha(settings: Settings) -> float:
    from dltk.models.backbones.fit import smoke_alpha

    return smoke_alpha(settings)


def _smoke_size(settings: Settings) -> int:
    from dltk.models.backbones.fit import smoke_size

    return smoke_size(settings, multiple=32)


recipe = Recipe(
    name="segmentation",
    summary="A U-Net on a pretrained backbone: one class per pixel.",
    task="segmentation",
    settings=Settings(),
    build=build,
    smoke={
        "model.weights": "none",
        "model.alpha": _smoke_alpha,
        "data.size": _smoke_size,
        "data.total": lambda settings: max(20, 60 * 32 // settings.data.size),
        "model.filters": (16, 16, 8, 8, 8),
        "fit.epochs": 1,
        "fit.by_count": False,
    },
    check=_check,
    data=DataHint(
        layout="a folder with images/ and masks/, same names; masks are PNG of class numbers or colours; labels.txt",
        sample="parts/images/001.jpg\nparts/masks/001.png\nparts/labels.txt",
        example="masks",
    ),
)
