"""`dltk bench`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltk.cli import options

__all__ = ["bench"]


@click.command()
@click.argument("bundle", type=options.PATH)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the runtime.")
@click.option("--artifact", metavar="FILE", help="Only this model file of the bundle.")
@options.verify
@options.as_json
def bench(bundle: Path, threads: int, artifact: str | None, verify: Path | None, as_json: bool) -> None:
    """Measure latency, memory and size of the artifacts in BUNDLE on this machine.

    \b
    Example:
        dltk bench exported/digits --threads 2
        dltk bench exported/flowers.zip --verify public.pem
    """
    from dltk.edge.bench import bench as measure

    report = measure(bundle, threads=threads, artifact=artifact, verify=verify)
    options.show(report, _text(report), as_json)


def _text(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    instructions = " ".join(machine["instructions"])
    heads = ("artifact", "p50 ms", "p90 ms", "p99 ms", "model KB", "bytes", "gzip -9", "delegated")
    rows = [heads, *(_row(artifact) for artifact in report["artifacts"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [f"{machine['cpu']}, {machine['architecture']} {instructions}; {report['threads']} thread(s)"]
    for row in rows:
        first, *rest = (
            cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


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
