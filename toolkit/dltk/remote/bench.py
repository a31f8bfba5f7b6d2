"""Validate and measure a bundle on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle.integrity import BUDGET, read_bundle
from dltk.edge.bundle.manifest import MANIFEST
from dltk.edge.bundle.seal import Key
from dltk.edge.load import require_artifact
from dltk.edge.runtime.port import require_threads
from dltk.remote.answers import BENCH, VALIDATION
from dltk.remote.host import connect

__all__ = ["bench_on"]


def bench_on(
    host: str,
    bundle: str | Path,
    *,
    python: str = "python3",
    threads: int = 1,
    artifact: str | None = None,
    verify: Key | None = None,
    max_memory: int = BUDGET,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Copy a bundle to `host`, replay it there, then measure it there.

    Args:
        host, python: see `dltk.remote.host.connect`.
        threads, artifact: see `dltk.edge.bench`.
        verify, max_memory: as for `dltk.edge.load`; checked here, before anything is sent.

    Returns:
        What `dltk.edge.bench` does, where "machine" also has "host", and "validation": what `dltk.edge.replay` does.

    Raises:
        UsageError: if `host`, `python` or `threads` is none.
        InputError: if the bundle is damaged or has no such artifact.
        LimitError: if its predictions differ there; `measured` is the report of the replay.
        EnvironmentFault: if the machine is out of reach, or lacks something; the message names what to install.
    """
    require_threads(threads)
    # Before anything is sent, and the bytes that were checked are those that are sent.
    sealed = read_bundle(bundle, verify=verify, max_memory=max_memory)
    require_artifact(sealed.manifest, artifact)
    with connect(host, python=python, progress=progress) as there:
        there.require(*dict.fromkeys(item.format for item in sealed.manifest.artifacts))
        files = {MANIFEST: sealed.manifest.to_bytes(), **sealed.files}
        validation = there.ask({"op": "validate", "max_memory": max_memory}, VALIDATION, files)
        found = there.ask({"op": "bench", "threads": threads, "artifact": artifact, "max_memory": max_memory}, BENCH)
        return {**found, "machine": dict(there.machine), "validation": validation}
