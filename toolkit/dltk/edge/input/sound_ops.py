"""The steps between a recording and its spectrogram, by name; run.pyz has them for the families that hear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from dltk.edge.bundle.signature import Op
from dltk.edge.input import decibels, sound

__all__ = ["SOUND_OPS"]

# name -> (batch (n, ...), step) -> (n, ...)
SOUND_OPS: dict[str, Callable[[NDArray[Any], Op], NDArray[Any]]] = {
    "peak": sound.peak,
    "log_mel": sound.log_mel,
    "decibel_mel": decibels.decibel_mel,
}
