"""Latency, memory and size of a bundle's artifacts on this machine, each measured in a process of its own."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.edge.bundle.integrity import BUDGET, read_file, read_manifest
from dltk.edge.bundle.manifest import Artifact, Manifest
from dltk.edge.bundle.seal import Key
from dltk.edge.families import family
from dltk.edge.load import choose
from dltk.edge.runtime.machine import machine
from dltk.edge.runtime.port import require_threads
from dltk.edge.runtime.sessions import available, install_hint
from dltk.edge.runtime.worker import run_worker

__all__ = ["bench", "download_bytes"]

_SAMPLES, _SEED = 2, 0


def download_bytes(data: bytes) -> int:
    """The size of `data` after `gzip -9 -n`: what a download takes. zlib versions differ by a few bytes."""
    return len(gzip.compress(data, 9, mtime=0))


def bench(
    path: str | Path,
    *,
    threads: int = 1,
    artifact: str | None = None,
    verify: Key | None = None,
    max_memory: int = BUDGET,
) -> dict[str, Any]:
    """Measure every artifact whose runtime is installed, or just `artifact`; about two seconds each.

    Args:
        verify, max_memory: as for `load`.

    Returns: {"bundle", "machine", "threads", "artifacts": [{"file", "format", "precision", "status" ("measured",
        "skipped"), "p50_ms", "p90_ms", "p99_ms", "runs", "peak_bytes", "model_bytes", "bytes", "download_bytes",
        "delegated_share"}]}. Times are of one sample, without preprocessing; "peak_bytes" is the process's highest
        resident size, "model_bytes" the anonymous memory that loading and the first run added; null if the system does
        not report it. "delegated_share" is the share of operators that XNNPACK took; null for ONNX Runtime.

    Raises:
        InputError: if the bundle is damaged, has no such artifact, or is not signed by the key that is asked for.
        EnvironmentFault: if no artifact has a runtime here.
    """
    require_threads(threads)
    manifest = read_manifest(path, verify=verify, max_memory=max_memory)
    chosen = manifest.artifacts if artifact is None else (choose(manifest, artifact=artifact),)
    if not any(item.format in available() for item in chosen):
        raise EnvironmentFault(path, "no artifact has a runtime here", hint=install_hint())
    found = [_measure(path, manifest, item, threads) for item in chosen]
    return {"bundle": manifest.name, "machine": machine(), "threads": threads, "artifacts": found}


def _measure(path: str | Path, manifest: Manifest, artifact: Artifact, threads: int) -> dict[str, Any]:
    report = {"file": artifact.file, "format": artifact.format, "precision": artifact.precision}
    if artifact.format not in available():
        return report | {"status": "skipped"}
    data = read_file(path, manifest, artifact.file)
    signature = manifest.signature.with_assets(lambda name: read_file(path, manifest, name))
    raws = family(signature.family).synthetic(signature, count=_SAMPLES, seed=_SEED)
    result = run_worker(data, artifact.format, signature, raws, threads=threads, time=True)
    times, memory = result.milliseconds or {}, result.memory or {}
    return report | {
        "status": "measured",
        "p50_ms": times["p50"],
        "p90_ms": times["p90"],
        "p99_ms": times["p99"],
        "runs": times["runs"],
        "peak_bytes": memory.get("peak"),
        "model_bytes": memory.get("model"),
        "bytes": len(data),
        "download_bytes": download_bytes(data),
        "delegated_share": result.delegated_share,
    }
