"""Recordings made by hand, as WAV files of every codec that is read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["tone", "wav", "write"]


def tone(pitch: float, *, rate: int = 8000, seconds: float = 0.3, seed: int = 0) -> NDArray[np.float64]:
    """A sine of `pitch` Hz with a little noise (n,), full scale at 1."""
    times = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(times)) * 0.01
    return np.asarray(0.5 * np.sin(2 * np.pi * pitch * times) + noise)


def wav(
    samples: NDArray[Any], *, rate: int = 8000, bits: int = 16, codec: int = 1, extensible: bool = False
) -> bytes:  # fmt: skip
    """A WAV file of `samples` (n,) or (n, channels), floats with full scale at 1."""
    frames = samples[:, None] if samples.ndim == 1 else samples
    channels, width = frames.shape[1], bits // 8
    block = channels * width
    header = struct.pack("<HHIIHH", codec, channels, rate, rate * block, block, bits)
    if extensible:
        tail = bytes.fromhex("000000001000800000aa00389b71")
        header = struct.pack("<H", 0xFFFE) + header[2:] + struct.pack("<HHIH", 22, bits, 0, codec) + tail
    body = _encoded(frames, bits, codec)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(body)) + body
    chunks += b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def write(path: Path, samples: NDArray[Any], **how: Any) -> Path:
    """`wav(samples)` at `path`, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(samples, **how))
    return path


def _encoded(frames: NDArray[Any], bits: int, codec: int) -> bytes:
    if codec == 3:
        return frames.astype("<f4").tobytes()
    scale = 2 ** (bits - 1)
    whole = np.clip(np.rint(frames * scale), -scale, scale - 1).astype("<i8")
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return whole.reshape(-1, 1).view(np.uint8).reshape(-1, 8)[:, : bits // 8].tobytes()
