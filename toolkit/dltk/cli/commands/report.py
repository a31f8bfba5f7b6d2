"""`dltk report`."""

from __future__ import annotations

from pathlib import Path

import click

from dltk.cli import options

__all__ = ["report"]


@click.command()
@click.argument("path", type=options.PATH, metavar="RUN_OR_BUNDLE")
@click.option("--out", type=options.PATH, metavar="FILE", help="Write a page (.html), a text (.txt) or JSON (.json).")
@click.option("--demo", is_flag=True, help="Write a page that runs the bundle's model; BUNDLE-demo.html without --out.")
@options.verify
@options.max_memory
@options.as_json
def report(path: Path, out: Path | None, demo: bool, verify: Path | None, max_memory: int, as_json: bool) -> None:
    """Show the measurements of RUN_OR_BUNDLE, or write them to a file.

    For a run: metrics on the test split, history, data, compression. For a bundle: size, metric, parity and operators
    of every artifact. The page is one HTML file that needs no network; its charts need the extra `report`.

    With --demo the page contains the model and a runtime: opened in a browser, it classifies images that are dropped
    on it.

    \b
    Example:
        dltk report exported/digits --out digits.html
        dltk report exported/digits --demo --out try-digits.html
    """
    if demo:
        from dltk.cli.console import progress
        from dltk.report.demo import write_demo

        out = out or Path(f"{path.resolve().name}-demo.html")
        found = write_demo(path, out, verify=verify, max_memory=max_memory, progress=progress())
        options.show(found, f"{found['out']}: {found['bytes']} bytes, contains {found['artifact']}", as_json)
        return
    from dltk.report import as_text, collect, require_writable, write_report

    if out is None:
        found = collect(path, verify=verify, max_memory=max_memory)
        options.show(found, as_text(found), as_json)
        return
    require_writable(out)
    found = collect(path, verify=verify, max_memory=max_memory)
    written = write_report(found, out)
    value = {"kind": found["kind"], "name": found["name"], "out": str(out), "bytes": written}
    options.show(value, f"{out}: {written} bytes", as_json)
