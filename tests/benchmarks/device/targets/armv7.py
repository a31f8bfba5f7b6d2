"""armv7, as in a Raspberry Pi 2 (Cortex-A7): the last runtime that there is for it, tflite-runtime 2.14."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path

from device.beside import rows_beside
from device.bundles import bundles
from device.emulated import emulated, wheels
from device.held import here
from device.kit import Missing, Row
from device.targets.light import NUMPY_1, Environment, ready
from support.shell import Failure

__all__ = ["rows"]

RUNTIME = "tflite-runtime 2.14.0"
_PROCESSORS = ("cortex-a7",)
_PACKAGES = ("python3-numpy", "python3-pil", "libstdc++6")
_LIBRARIES = tuple(f"usr/lib/arm-linux-gnueabihf/{name}" for name in ("blas", "lapack"))
_PLATFORMS = ("manylinux_2_34_armv7l", "manylinux2014_armv7l")


def rows(work: Path) -> list[Row]:
    """Float files within 1e-5 of the same runtime on x86, int8 within 2 steps; or a file that says it is too new."""
    made = bundles(work)
    wanted = [RUNTIME.replace(" ", "=="), f"tokenizers=={version('tokenizers')}"]
    site = wheels(work / "site", wanted, _PLATFORMS)
    there = emulated(work, "armhf", "qemu-arm", _PACKAGES, site, _LIBRARIES)
    try:
        python = ready(work / "x86", Environment("x86", "tflite", RUNTIME.replace(" ", "=="), NUMPY_1))
    except Failure as fault:
        raise Missing(f"{RUNTIME} does not install on this machine, where its answers are held to") from fault
    ours = partial(here, python=python)
    return rows_beside(
        "armv7", made, there, _PROCESSORS, work, formats=("tflite",), most_steps=2, ours=ours, runtime=RUNTIME
    )
