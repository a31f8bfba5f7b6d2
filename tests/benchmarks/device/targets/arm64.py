"""aarch64, as in a Raspberry Pi 3 (Cortex-A53) and 5 (Cortex-A76): every artifact, in both runtimes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from device.beside import rows_beside
from device.bundles import bundles
from device.emulated import emulated, wheels
from device.kit import Row

__all__ = ["rows"]

_PROCESSORS = ("cortex-a53", "cortex-a76")
_PACKAGES = ("python3-minimal", "libpython3.11-stdlib", "libstdc++6")
_WHEELS = ("ai-edge-litert", "numpy", "onnxruntime", "pillow", "tokenizers")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def rows(work: Path) -> list[Row]:
    """Integer files equal to x86 to the bit, float ones within 1e-5, with the versions that run here."""
    made = bundles(work)
    site = wheels(work / "site", [f"{name}=={version(name)}" for name in _WHEELS], _PLATFORMS)
    there = emulated(work, "arm64", "qemu-aarch64", _PACKAGES, site)
    return rows_beside("aarch64", made, there, _PROCESSORS, work, formats=("tflite", "onnx"), most_steps=0)
