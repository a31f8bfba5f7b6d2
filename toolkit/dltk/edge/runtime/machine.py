"""Which machine this is: every latency carries it, since it holds nowhere else. Needs no NumPy."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["machine"]

_TELLING_FLAGS = (  # instruction sets that decide how fast integer kernels are, and on x86 whether U8S8 saturates
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "neon",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)


def machine() -> dict[str, Any]:
    """{"cpu", "architecture", "instructions", "threads"}; instructions are those that matter for inference."""
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "instructions": [flag for flag in _TELLING_FLAGS if flag in flags],
        "threads": cores or 1,
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor's fields; empty where there is no /proc."""
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
