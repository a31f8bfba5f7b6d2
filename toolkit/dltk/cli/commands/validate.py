"""`dltk validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dltk.cli import options

__all__ = ["validate"]


@click.command()
@click.argument("bundle", type=options.PATH)
@options.data
@options.verify
@options.max_memory
@options.as_json
def validate(bundle: Path, data: str | None, verify: Path | None, max_memory: int, as_json: bool) -> None:
    """Check every file of BUNDLE, and that each artifact still gives its recorded predictions.

    With --data, a folder with one subfolder per class or a CSV of path,label, also score the artifacts on it.

    \b
    Example:
        dltk validate exported/digits
        dltk validate exported/flowers --data photos/test
        dltk validate exported/flowers.zip --verify public.pem
    """
    from dltk.base.errors import LimitError
    from dltk.cli.boundary import Unmet
    from dltk.edge.replay import as_text, replay

    try:
        report = replay(bundle, data=data, verify=verify, max_memory=max_memory, isolated=True)
    except LimitError as error:
        measured: Any = error.measured
        raise Unmet(error, measured, as_text(measured)) from error
    options.show(report, as_text(report), as_json)
