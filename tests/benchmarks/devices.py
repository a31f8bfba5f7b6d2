"""`make devices`: the bundles answered on every kind of device that dltk names, each really run.

    python tests/benchmarks/devices.py --only browser --only node

What cannot be had on this machine is skipped by name, with the reason. Emulated processors prove answers, not speed: no
time is taken here. Ends with exit code 1 if a promise was not kept.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from device.kit import Missing, Row, as_table, renewed
from dltk.base.files import write_atomic
from support.shell import ROOT, heading

__all__ = ["TARGETS", "main"]

# Name -> module; its function `rows(work)` runs the target in the folder `work`, which it owns.
TARGETS: dict[str, str] = {
    "ssh": "device.targets.ssh",
    "x86-light": "device.targets.light",
    "aarch64": "device.targets.arm64",
    "armv7": "device.targets.armv7",
    "microcontroller": "device.targets.micro",
    "browser": "device.targets.browser",
    "node": "device.targets.node",
}


def main() -> None:
    """Run every target, print the table, and fail if a row is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(TARGETS), help="may be given several times")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "devices", help="folder of what is fetched")
    parser.add_argument("--out", type=Path, help="put the rows into the table of this page")
    options = parser.parse_args()
    found: list[Row] = []
    for name in options.only or TARGETS:
        heading(name)
        found += _target(name, options.work.resolve())
    table = as_table(found)
    print(f"\n{table}", flush=True)
    if options.out:
        page = options.out.read_text() if options.out.is_file() else ""
        write_atomic(options.out, renewed(page, found).encode())
    if any(row.met is False for row in found):
        sys.exit(1)


def _target(name: str, work: Path) -> list[Row]:
    try:
        rows: list[Row] = import_module(TARGETS[name]).rows(work / name)
    except Missing as fault:
        rows = [Row(name, "all", "", str(fault), None)]
    print(as_table(rows), flush=True)
    return rows


if __name__ == "__main__":
    main()
