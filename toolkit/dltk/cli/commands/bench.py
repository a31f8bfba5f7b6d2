"""`dltk bench`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltk.base.terminal import one_line
from dltk.cli import options

__all__ = ["bench"]


@click.command()
@click.argument("bundle", type=options.PATH)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of the runtime.")
@click.option("--artifact", metavar="FILE", help="Measure only this model file of the bundle.")
@options.verify
@options.max_memory
@options.host
@options.as_json
def bench(
    bundle: Path,
    threads: int,
    artifact: str | None,
    verify: Path | None,
    max_memory: int,
    host: str | None,
    remote_python: str | None,
    as_json: bool,
) -> None:
    """Measure latency, memory and size of the artifacts in BUNDLE on this machine, or on --host.

    With --host, dltk and the bundle are copied over ssh into a folder that is removed afterwards. The bundle is
    validated there before it is measured. The machine needs Python 3.11, NumPy and a runtime; ssh must log in without
    a password.

    \b
    Example:
        dltk bench exported/digits --threads 2
        dltk bench exported/digits --host pi@raspberrypi
        dltk bench exported/flowers.zip --verify public.pem
    """
    python = options.python_of(host, remote_python)
    if host is None:
        from dltk.edge.bench import bench as measure

        report = measure(bundle, threads=threads, artifact=artifact, verify=verify, max_memory=max_memory)
    else:
        from dltk.cli.console import progress
        from dltk.remote.bench import bench_on

        report = bench_on(
            host,
            bundle,
            python=python,
            threads=threads,
            artifact=artifact,
            verify=verify,
            max_memory=max_memory,
            progress=progress(),
        )
    options.show(report, _text(report), as_json)


def _text(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    instructions = " ".join(machine["instructions"])
    heads = ("artifact", "p50 ms", "p90 ms", "p99 ms", "model KB", "bytes", "gzip -9", "delegated")
    rows = [heads, *(_row(artifact) for artifact in report["artifacts"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    place = f"{machine['host']}: " if "host" in machine else ""
    lines = [f"{place}{machine['cpu']}, {machine['architecture']} {instructions}; {report['threads']} thread(s)"]
    lines += [_validated(report["validation"])] if "validation" in report else []
    for row in rows:
        first, *rest = (
            cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(map(one_line, lines))


def _validated(validation: Mapping[str, Any]) -> str:
    passed = sum(artifact["status"] == "passed" for artifact in validation["artifacts"])
    whole = f"{passed} of {len(validation['artifacts'])} artifacts"
    return f"{whole} give their recorded predictions on {validation['samples']} golden samples"


def _row(artifact: Mapping[str, Any]) -> tuple[str, ...]:
    if artifact["status"] == "skipped":
        return (artifact["file"], "no runtime", "", "", "", "", "", "")
    share, memory = artifact["delegated_share"], artifact["model_bytes"]
    return (
        artifact["file"],
        *(f"{artifact[key]:.3f}" for key in ("p50_ms", "p90_ms", "p99_ms")),
        "-" if memory is None else f"{memory / 1000:.0f}",
        str(artifact["bytes"]),
        str(artifact["download_bytes"]),
        "-" if share is None else f"{share:.0%}",
    )
