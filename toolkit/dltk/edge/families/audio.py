"""Recordings to labels: one label a recording, or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Tensors
from dltk.edge.families.shared.files import LabelledFiles
from dltk.edge.input import preprocess
from dltk.edge.input.given import RECORDING_INPUTS
from dltk.edge.input.sound import read_sound, sound_op
from dltk.edge.input.sound_ops import SOUND_OPS
from dltk.edge.sources.kinds import SOUNDS

__all__ = ["FAMILY", "Audio"]


class Audio(LabelledFiles):
    """Raw sample: int16 (samples,) at the rate of the step "sound"."""

    name = "audio"
    accepted_inputs = RECORDING_INPUTS
    files = SOUNDS

    def read(self, source: Any, signature: Signature) -> NDArray[np.int16]:
        """The WAV file at a path or in bytes, resampled; or an array at the model's rate, int16 or floats in -1..1.

        Returns:
            int16 (samples,).
        """
        return read_sound(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, frames, bands, 1): the spectrogram that the signature's steps make."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess, SOUND_OPS)}

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.int16]:
        """Tones that rise or fall, with noise (count, samples): steady noise alone makes all predictions equal."""
        rate, samples = sound_op(signature.preprocess)
        generator = np.random.Generator(np.random.PCG64(seed))
        start, end = generator.uniform(0.02, 0.4, (2, count, 1)) * rate
        times = np.arange(samples) / rate
        tones = np.sin(2 * np.pi * (start + (end - start) * times / (2 * times[-1] + 1 / rate)) * times)
        loud = generator.uniform(0.05, 0.8, (count, 1))
        noise = generator.standard_normal((count, samples)) * 0.02
        return np.asarray(np.clip((tones * loud + noise) * 2**15, -(2**15), 2**15 - 1), np.int16)


FAMILY: Family = Audio()
