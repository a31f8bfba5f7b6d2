"""A pretrained backbone with a new head: a good classifier from few images.

    dltk finetune image-classification --data photos/

First the head is trained, on features that are computed once; then the top of the backbone too, at a small learning
rate.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from dltk.recipe import (
    Augment,
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    ImageData,
    Phase,
    PruneAndQuantize,
    Recipe,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class Model:
    """The network; `dltk backbones` lists the backbones."""

    backbone: str = setting("mobilenet-v2", "name of the backbone")
    weights: str = setting("imagenet", "imagenet, none (random), or a file of weights")
    alpha: float = setting(1.0, "width multiplier, where the backbone has several", low=0.1, high=2.0)
    unfreeze_after: str | None = setting(None, "layer after which `tune` trains; none: the default of the backbone")
    dropout: float = setting(0.2, "dropout before the head", low=0.0, high=0.9)


@dataclass(frozen=True)
class Tune(Fit):
    """As `Fit`. Settings left at their default depend on the number of images (small-sets in docs/measurements.md)."""

    by_count: bool = setting(
        True,
        "few images: settings left at their default become a smaller learning rate with averaged weights; "
        "very few: no tune. false: off",
    )


_FEW = Fit(epochs=10, batch_size=32, learning_rate=1e-4, warmup=1.0, average=0.98)
_LEAST, _MANY = 35, 500  # training images per class: below, `tune` brings nothing; from there on few steps will do


@dataclass(frozen=True)
class Settings:
    """`head` trains on the frozen backbone, then `tune` trains its top too; tune.epochs=0 skips `tune`."""

    seed: int = setting(0, "of the split, the head's first weights, the order and the views", low=0)
    data: ImageData = field(default_factory=lambda: ImageData(size=96))
    model: Model = field(default_factory=Model)
    # On cached features an epoch costs next to nothing; few samples make few steps an epoch: many epochs, and a stop.
    head: Fit = field(default_factory=lambda: Fit(epochs=60, batch_size=32, learning_rate=5e-3, patience=15))
    # A small part of the head's rate, warmed up: the backbone's weights are good already.
    tune: Tune = field(default_factory=lambda: Tune(epochs=5, learning_rate=2e-4, warmup=1.0))
    augment: Augment = field(default_factory=lambda: Augment(views=2, flip=True))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Backbone, global average, dropout, logits."""
    import keras
    from keras import layers

    from dltk.models.backbones.build import build_backbone

    keras.utils.set_random_seed(settings.seed)
    height, width, channels = contract.input_shape
    backbone = build_backbone(
        settings.model.backbone,
        input_shape=(height, width, channels),
        weights=settings.model.weights,
        alpha=settings.model.alpha,
        seed=settings.seed,
    )
    pooled = layers.GlobalAveragePooling2D(name="pool")(backbone.features)
    x = layers.Dropout(settings.model.dropout, seed=settings.seed, name="dropout")(pooled)
    start = keras.initializers.GlorotUniform(seed=settings.seed)
    logits = layers.Dense(contract.output_size, kernel_initializer=start, name="logits")(x)
    phases = [Phase("head", settings.head, frozen_through="pool")]
    tune, notes = _tune(settings.tune, contract)
    if tune.epochs:
        cut = settings.model.unfreeze_after or backbone.unfreeze_after
        phases.append(Phase("tune", tune, frozen_through=cut))
    reverse = ({"op": "reverse_channels"},) if backbone.scale.reverse_channels else ()
    scale = {"op": "scale", "multiply": list(backbone.scale.multiply), "add": list(backbone.scale.add)}
    model = keras.Model(backbone.inputs, logits, name=settings.model.backbone)
    return Built(model, tuple(phases), (*reverse, scale), notes={"weights": backbone.source, **notes})


def _tune(asked: Tune, contract: Contract) -> tuple[Fit, dict[str, str]]:
    """The second phase, and a note if the number of images changed its settings."""
    default, count = asdict(Settings().tune), contract.facts.get("samples_per_class", _MANY)
    given = {name: value for name, value in asdict(asked).items() if name != "by_count"}
    changed = {name: value for name, value in given.items() if value != default[name]}
    if not asked.by_count or not asked.epochs or count >= _MANY:
        return Fit(**given), {}
    why = f"{count:.0f} training images per class; --set tune.by_count=false uses the settings unchanged"
    if count < _LEAST and not changed:
        return Fit(epochs=0), {"tune": f"off, {why}"}
    few = replace(_FEW, **changed)
    return few, {
        "tune": f"{few.epochs} {'epoch' if few.epochs == 1 else 'epochs'} with a small learning rate and averaged "
        f"weights, {why}"
    }


def _check(settings: Settings) -> None:
    from dltk.models.backbones.fit import check_backbone

    check_backbone(settings)


def _smoke_alpha(settings: Settings) -> float:
    from dltk.models.backbones.fit import smoke_alpha

    return smoke_alpha(settings)


def _smoke_size(settings: Settings) -> int:
    from dltk.models.backbones.fit import smoke_size

    return smoke_size(settings)


recipe = Recipe(
    name="image-classification",
    summary="A pretrained backbone with a new head; one or several labels per image.",
    task="image-classification",
    settings=Settings(),
    build=build,
    smoke={
        "model.weights": "none",
        "model.alpha": _smoke_alpha,
        "data.size": _smoke_size,
        "data.total": lambda settings: max(40, 120 * 64 // max(64, settings.data.size)),
        "head.epochs": 1,
        "tune.epochs": 1,
    },
    check=_check,
    data=DataHint(
        layout="a folder of images, one subfolder per class; or CSV path,label (labels split by | with "
        "data.multi_label)",
        sample="photos/rose/001.jpg\nphotos/rose/002.jpg\nphotos/tulip/001.png",
        example="photos",
    ),
)
