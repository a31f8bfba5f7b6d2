"""Baselines of recordings: the most frequent class, and two classifiers of means and deviations of cepstra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset
from dltk.training.baselines.classifiers import linear_classifier, scored

__all__ = ["baselines", "cepstra"]

_FRAME, _HOP = 512, 256  # samples
_BANDS, _COEFFICIENTS = 32, 20
_PARTS = 4  # of a recording, in time, whose means are features


def baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Accuracy, or exact match of several labels, of each baseline on the test split; see `baselines_of`.

    Args:
        dataset: raw samples int16 (n, samples).
    """
    return scored(dataset, {"logistic regression": (cepstra, linear_classifier), "SVM": (cepstra, _machine)})


def cepstra(raws: NDArray[np.int16]) -> NDArray[np.float32]:
    """Means in each quarter of the recording and deviations of 20 cepstral coefficients, and deviations of their
    changes (n, features), of recordings (n, samples).
    """
    from scipy.fft import dct

    signal = raws.astype(np.float32) / 32768
    signal /= np.abs(signal).max(axis=1, keepdims=True, initial=0.0) + 1e-6
    if signal.shape[1] < _FRAME:
        signal = np.pad(signal, ((0, 0), (0, _FRAME - signal.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(signal, _FRAME, axis=1)[:, ::_HOP]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=-1)))
    edges = np.unique(np.geomspace(1, _FRAME // 2, _BANDS + 1).astype(np.int64))[:-1]
    bands = np.add.reduceat(power, edges, axis=-1)
    values = dct(np.log(bands + 1e-4), axis=-1, norm="ortho")[..., :_COEFFICIENTS]
    means = [part.mean(axis=1) for part in np.array_split(values, min(_PARTS, values.shape[1]), axis=1)]
    changes = np.diff(values, axis=1).std(axis=1) if values.shape[1] > 1 else np.zeros_like(means[0])
    return np.concatenate([*means, values.std(axis=1), changes], axis=1).astype(np.float32)


def _machine() -> Any:
    """A support vector machine with a Gaussian kernel."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=10.0))
