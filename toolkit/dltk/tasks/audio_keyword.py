"""Which of a set of words, or which several of a set of sounds, a recording holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.sounds import prepare_sounds, sound_reading
from dltk.data.sizes.recordings import Hearing
from dltk.data.strata import stratified
from dltk.edge.bundle.shapes import frames_of
from dltk.edge.bundle.signature import Op, Signature, TensorSpec
from dltk.edge.input import preprocess
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]

_SPEECH, _PASSED = 7600.0, 0.475  # Hz that speech needs; share of a rate that filters of converters let pass
_LEAST = 0.8  # seconds that the speech embedding needs
_SPEECH_MEL = {  # its front end
    "frame": 512, "window": 400, "hop": 160, "fft": 512, "bands": 32, "low": 60.0, "high": 3800.0, "floor": 1e-10,
    "range": 80.0,
}  # fmt: skip
_THRESHOLD = 0.5  # of a sigmoid: where the odds are even
_MEASURED = 2000  # training samples that mean and deviation of a band are taken from
_QUIETEST = 0.05  # deviation, in log energy, of a band that hardly changes: it stays quiet


class _AudioKeyword(SplitTask):
    """A sample is int16 (samples,) at `data.rate`; the model hears it as a spectrogram (frames, bands, 1)."""

    name = "audio-keyword"
    family = "audio"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A folder with a subfolder of recordings per word.")
        if settings.data.rate and settings.data.seconds:
            _shape(settings, Hearing(settings.data.rate, settings.data.seconds))  # before anything is read
        speech = _is_speech(settings)
        dataset = prepare_sounds(
            data, settings.data, seed=settings.seed, is_centred=speech, least=_LEAST if speech else 0.0,
            progress=progress
        )  # fmt: skip
        heard = _heard(dataset)
        _shape(settings, heard)
        if speech:
            return dataset
        mean, deviation = _moments(dataset, _ops(settings, heard), settings.seed)
        return replace(dataset, report={**dataset.report, "mean": mean, "std": deviation})

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        return Contract({"sound": _shape(settings, _heard(dataset))}, {"logits": (len(dataset.labels),)})

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        last = {"op": "softmax", "temperature": 1.0}
        if settings.data.multi_label:
            last = {"op": "sigmoid", "threshold": _THRESHOLD}
        heard, axes = _heard(dataset), ("batch", "time", "band", "channel")
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(TensorSpec("sound", "float32", (None, *_shape(settings, heard)), axes),),
            outputs=(TensorSpec("logits", "float32", (None, len(dataset.labels)), ("batch", "class")),),
            preprocess=(*_ops(settings, heard), _scaling(settings, dataset), *built.preprocess),
            postprocess=(last,),
            labels=dataset.labels,
        )


TASK = _AudioKeyword()


def _heard(dataset: Dataset) -> Hearing:
    return Hearing(int(dataset.report["rate"]), float(dataset.report["seconds"]))


def _is_speech(settings: Any) -> bool:
    """Whether the model hears what the pretrained speech embedding was trained on: no group `spectrum` describes it."""
    return getattr(settings, "spectrum", None) is None


def _scaling(settings: Any, dataset: Dataset) -> Op:
    """The last step: standardized by the training samples, or as the embedding was trained."""
    if _is_speech(settings):
        return {"op": "scale", "multiply": 0.1, "add": 2.0}
    return {
        "op": "standardize",
        "mean": _columns(dataset.report["mean"]),
        "std": _columns(dataset.report["std"]),
    }


def _ops(settings: Any, heard: Hearing) -> tuple[Op, ...]:
    """File -> mel spectrogram, from the groups `data` and `spectrum`."""
    if _is_speech(settings):
        reading = sound_reading(heard, settings.data, is_centred=True)
        return reading, {"op": "peak"}, {"op": "decibel_mel", "rate": heard.rate, **_SPEECH_MEL}
    spectrum, sound = settings.spectrum, sound_reading(heard, settings.data)
    frame = round(heard.rate * spectrum.frame_ms / 1000)
    mel: Op = {
        "op": "log_mel",
        "rate": heard.rate,
        "frame": frame,
        "hop": max(1, round(heard.rate * spectrum.hop_ms / 1000)),
        "fft": 1 << max(1, frame - 1).bit_length(),
        "bands": spectrum.bands,
        "low": spectrum.low,
        "high": min(spectrum.high or max(_SPEECH, _PASSED * heard.rate), heard.rate / 2),
        "floor": spectrum.floor,
    }
    return (sound, {"op": "peak"}, mel) if spectrum.peak else (sound, mel)


def _shape(settings: Any, heard: Hearing) -> tuple[int, int, int]:
    sound, *_, mel = _ops(settings, heard)
    try:
        return frames_of(sound["samples"], mel), int(mel["bands"]), 1
    except ValueError as fault:
        rule = "must give frames that fit into data.seconds, and bands below half of data.rate"
        raise InputError("settings spectrum", rule, str(fault)) from fault


def _moments(dataset: Dataset, ops: tuple[Op, ...], seed: int) -> tuple[list[float], list[float]]:
    """Mean and deviation of each band over training samples."""
    drawn = dataset.train.take(stratified(dataset.train.targets, count=_MEASURED, seed=seed, mixed=True))
    chunks = [preprocess.apply_ops(drawn[start : start + 64], ops) for start in range(0, len(drawn), 64)]
    found = np.concatenate(chunks).astype(np.float64)
    deviation = np.maximum(found.std(axis=(0, 1, 3)), _QUIETEST)
    return found.mean(axis=(0, 1, 3)).tolist(), deviation.tolist()


def _columns(values: list[float]) -> list[list[float]]:
    """(bands, 1), as the spectrogram's last two axes."""
    return [[value] for value in values]
