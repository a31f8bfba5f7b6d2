"""`dltk bench --host` over a real sshd on loopback: the whole way to another machine, but for the other processor."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device.bundles import bundles
from device.kit import Missing, Row
from dltk.base.errors import DltkError, EnvironmentFault, LimitError
from dltk.remote.bench import bench_on
from support.shell import reach_tests

__all__ = ["rows"]

_NAME = "ssh"


def rows(work: Path) -> list[Row]:
    """Every bundle there and back: replayed and measured at the other end, and nothing left there.

    Raises:
        Missing: if no sshd can be run here.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="dltk-sshd-") as name, _server(Path(name)) as there:
        for bundle in bundles(work.parent):
            found += [*_artifacts(bundle), _left(bundle, there)]
        found.append(_refused(bundles(work.parent)[0]))
    return found


def _artifacts(bundle: Path) -> Iterator[Row]:
    try:
        report = bench_on("loopback", bundle, python=sys.executable)
    except LimitError as fault:
        validation: Any = fault.measured
        measured: dict[str, Any] = {}
    except DltkError as fault:
        yield Row(_NAME, bundle.name, "validated and benchmarked there", str(fault), False)
        return
    else:
        validation, measured = report["validation"], {row["file"]: row["status"] for row in report["artifacts"]}
    for row in validation["artifacts"]:
        parity, status = row["parity"], measured.get(row["file"], "not measured")
        words = "; ".join(row["reasons"]) or f"{parity['measure']} error {parity['error']:.3g}, {status}"
        met = None if row["status"] == "skipped" else row["status"] == "passed" and status == "measured"
        yield Row(_NAME, f"{bundle.name} {row['file']}", "passes validate, and is benchmarked", words, met)


def _left(bundle: Path, there: Path) -> Row:
    left = sorted(path.name for path in there.glob("dltk-*"))
    return Row(_NAME, bundle.name, "no files left there", ", ".join(left) or "none", not left)


def _refused(bundle: Path) -> Row:
    """A key that the other side does not know."""
    try:
        bench_on("stranger", bundle)
    except EnvironmentFault as fault:
        return Row(_NAME, "an unknown ssh key", "exit code 5, in one line", str(fault), True)
    return Row(_NAME, "an unknown ssh key", "exit code 5, in one line", "accepted", False)


@contextmanager
def _server(folder: Path) -> Iterator[Path]:
    """A running sshd, with its `ssh` first on PATH; gives the temporary folder of the other end."""
    reach_tests()  # the sshd is the one that they start
    import sshd

    there, before = folder / "there", os.environ["PATH"]
    there.mkdir()
    try:
        with sshd.serve(folder, {"TMPDIR": str(there)}) as programs:
            os.environ["PATH"] = f"{programs}{os.pathsep}{before}"
            yield there
    except sshd.Refused as fault:
        raise Missing(str(fault)) from fault
    finally:
        os.environ["PATH"] = before
