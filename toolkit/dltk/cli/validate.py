"""`dltk validate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltk.cli import options

__all__ = ["validate"]


@click.command()
@click.argument("bundle", type=options.PATH)
@options.data
@options.as_json
def validate(bundle: Path, data: str | None, as_json: bool) -> None:
    """Check every file of BUNDLE, and that each artifact still gives the answers it was sealed with.

    With --data, a folder a class or a CSV of path,label, also score the artifacts on it.

    \b
    Example:
        dltk validate exported/digits
        dltk validate exported/flowers --data photos/test
    """
    from dltk.base.errors import LimitError
    from dltk.edge.replay import replay

    try:
        report = replay(bundle, data=data, isolated=True)
    except LimitError as error:
        measured: Any = error.measured
        options.show(measured, _text(measured), as_json)
        error.measured = None  # it has been shown
        raise
    options.show(report, _text(report), as_json)


def _text(report: Mapping[str, Any]) -> str:
    equal = "equal to the bit" if report["tensors_equal"] else "DIFFERENT"
    lines = [f"{report['bundle']}: {report['files']} files sound, {report['samples']} golden samples, tensors {equal}"]
    for artifact in report["artifacts"]:
        words = [f"  {artifact['status']:<8} {artifact['file']}"]
        if artifact["parity"]:
            parity = artifact["parity"]
            words.append(f"{parity['measure']} error {parity['error']:.3g}, tolerance {parity['tolerance']:g}")
        if artifact["metric"]:
            words.append("{name} {value:.4f} on {samples} samples".format(**artifact["metric"]))
        lines.append("  ".join(words + artifact["reasons"]))
    lines += report["data"]["notes"] if report["data"] else []
    return "\n".join(lines)
