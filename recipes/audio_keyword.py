"""Spoken words: a log-mel spectrogram and a depthwise separable CNN.

    dltk finetune audio-keyword --data words/ --set data.group=name:0

DS-CNN of Zhang et al. 2017, "Hello Edge" (arXiv:1711.07128), the keyword spotter of MLPerf Tiny: one wide convolution,
then depthwise ones of 3 x 3 with pointwise ones between them. All layers run in int8.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Spectrum:
    """The spectrogram; its settings are exported with the model, and the device computes the same."""

    frame_ms: float = setting(32.0, "length of a frame, in ms", low=1.0, high=1000.0)
    hop_ms: float = setting(20.0, "time from one frame to the next, in ms", low=1.0, high=1000.0)
    bands: int = setting(40, "mel bands", low=4, high=256)
    low: float = setting(60.0, "lower end of the lowest band, in Hz", low=0.0, high=20_000.0)
    high: float = setting(
        0.0, "upper end of the highest band, in Hz; at most half of the rate; 0: from the rate", low=0.0
    )
    peak: bool = setting(True, "scale every recording to the same peak first")
    floor: float = setting(1e-6, "added to the energy before the logarithm; anything quieter is silence", low=1e-12)


@dataclass(frozen=True)
class Model:
    """The network; 64 filters and 4 blocks are the paper's small one."""

    filters: int = setting(64, "filters of every layer", low=4, high=1024)
    blocks: int = setting(4, "depthwise separable blocks", low=1, high=16)
    dropout: float = setting(0.2, "dropout before the last layer", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for a few thousand recordings of single words by few speakers."""

    seed: int = setting(0, "of the split, the first weights, the order and the views", low=0)
    data: SoundData = field(default_factory=SoundData)
    spectrum: Spectrum = field(default_factory=Spectrum)
    model: Model = field(default_factory=Model)
    fit: Fit = field(
        default_factory=lambda: Fit(epochs=40, batch_size=32, learning_rate=5e-3, warmup=1.0, label_smoothing=0.1)
    )
    # views=0: a new view every epoch. They stand for the speakers and microphones that are not in the data.
    augment: SoundAugment = field(
        default_factory=lambda: SoundAugment(
            views=0, shift=0.1, speed=0.2, noise=0.05, tilt=12.0, time_mask=0.1, band_mask=0.1
        )
    )
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Convolution of 10 x 4, depthwise separable blocks, global average, logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    filters = settings.model.filters
    sound = keras.Input(contract.input_shape, name="sound")
    x = layers.Conv2D(filters, (10, 4), strides=2, padding="same", use_bias=False)(sound)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))  # 0.99 would need hundreds of steps to settle
    for _ in range(settings.model.blocks):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if settings.model.dropout:
        x = layers.Dropout(settings.model.dropout, seed=settings.seed)(x)
    logits = layers.Dense(contract.output_size, name="logits")(x)
    return Built(keras.Model(sound, logits, name="audio-keyword"), (Phase("fit", settings.fit),))


def _is_narrow(spectrum: Spectrum) -> bool:
    """Whether half the rate is enough for these bands."""
    return spectrum.low < 2000 and spectrum.bands <= 40


recipe = Recipe(
    name="audio-keyword",
    summary="A depthwise separable CNN (DS-CNN) that classifies spoken words.",
    task="audio-keyword",
    settings=Settings(),
    build=build,
    smoke={
        "data.total": 300,
        "spectrum.bands": 16,
        # Bands must lie below half of the rate, and frames fit into the seconds.
        "data.rate": lambda settings: 8000 if _is_narrow(settings.spectrum) else 16_000,
        "data.seconds": lambda settings: max(0.5, 4 * settings.spectrum.frame_ms / 1000),
        "model.filters": 16,
        "model.blocks": 2,
        "fit.epochs": 2,
        "fit.batch_size": 16,
    },
    data=DataHint(
        layout="a folder of WAV, FLAC or Ogg files, one subfolder per word; or a CSV path,label",
        sample="words/yes/ann_01.wav\nwords/yes/bob_01.wav\nwords/no/ann_01.wav",
        example="recordings",
    ),
)
