"""A pretrained speech embedding with a new head: a good classifier of words and sounds from few recordings.

    dltk finetune audio-transfer --data words/ --set data.group=name:0

The embedding (Lin et al. 2020, arXiv:2002.01322) was trained on millions of spoken words. The head is trained on
vectors that are computed once; `tune` then trains the upper blocks too, at a small learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dltk.recipe import (
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PruneAndQuantize,
    Recipe,
    SoundAugment,
    SoundData,
    setting,
)

__all__ = ["recipe"]

_RATE = 16_000  # that the embedding was trained at
_SCALE = 1 / 8  # the numbers of a vector deviate by 7, measured on spoken digits
_SHORTEST = 0.8  # seconds: the shortest recording that gives one vector


@dataclass(frozen=True)
class Model:
    """The network."""

    weights: Literal["pretrained", "none"] = setting("pretrained", "weights of the embedding; none: random")
    unfrozen: int = setting(2, "number of blocks, from the last, that `tune` trains", low=0, high=6)
    dropout: float = setting(0.2, "dropout before the head", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """`head` trains on the frozen embedding; with tune.epochs above 0 `tune` trains its upper blocks too."""

    seed: int = setting(0, "of the split, the order, dropout and the views", low=0)
    data: SoundData = field(default_factory=lambda: SoundData(rate=_RATE))
    model: Model = field(default_factory=Model)
    head: Fit = field(default_factory=lambda: Fit(epochs=60, batch_size=32, learning_rate=5e-3, label_smoothing=0.1))
    tune: Fit = field(default_factory=lambda: Fit(epochs=0, batch_size=32, learning_rate=1e-4, warmup=0.3))
    augment: SoundAugment = field(
        default_factory=lambda: SoundAugment(views=4, shift=0.05, speed=0.1, noise=0.02, tilt=6.0)
    )
    calibration: Calibration = field(default_factory=Calibration)
    # int8 calibrated without training lost 4.8 points on a held-out speaker.
    compress: PruneAndQuantize = field(default_factory=lambda: PruneAndQuantize(("quantize:precision=float16",)))


def build(settings: Settings, contract: Contract) -> Built:
    """Embedding, dropout, logits."""
    import keras
    from keras import layers

    from dltk.models.backbones.speech import build_speech

    model = settings.model
    speech = build_speech(frames=contract.input_shape[0], weights=model.weights, seed=settings.seed)
    x = layers.Rescaling(_SCALE, name="vector")(speech.vector)
    x = layers.Dropout(model.dropout, seed=settings.seed, name="dropout")(x)
    logits = layers.Dense(contract.output_size, name="logits")(x)
    whole = keras.Model(speech.inputs, logits, name="audio-transfer")
    for group in speech.groups[: len(speech.groups) - model.unfrozen]:
        for name in group:
            whole.get_layer(name).trainable = False
    phases = [Phase("head", settings.head, frozen_through="pool")]
    if settings.tune.epochs and model.unfrozen:
        phases.append(Phase("tune", settings.tune))
    return Built(whole, tuple(phases), notes={"weights": speech.source})


def _check(settings: Settings) -> None:
    from dltk.base.errors import InputError

    if settings.data.rate != _RATE:
        raise InputError("setting data.rate", f"must be {_RATE} for the embedding", settings.data.rate)
    if 0 < settings.data.seconds < _SHORTEST:
        rule = f"must be 0 or at least {_SHORTEST:g} for the embedding"
        raise InputError("setting data.seconds", rule, settings.data.seconds)


recipe = Recipe(
    name="audio-transfer",
    summary="A pretrained speech embedding with a new head: for few recordings per class.",
    task="audio-keyword",
    settings=Settings(),
    build=build,
    check=_check,
    smoke={
        "data.total": 150,
        "data.seconds": _SHORTEST,
        "model.weights": "none",
        "augment.views": 1,
        "head.epochs": 2,
        "head.batch_size": 16,
        "tune.epochs": 0,
    },
    data=DataHint(
        layout="a folder of WAV, FLAC or Ogg files, one subfolder per word; or a CSV path,label",
        sample="words/yes/ann_01.wav\nwords/yes/bob_01.wav\nwords/no/ann_01.wav",
        example="recordings",
    ),
)
