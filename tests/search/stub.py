"""A search over made-up candidates: what each measures is a function of its steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dltk.base.progress import SILENT, Progress
from dltk.search.find import CandidateMaker, SearchResult, run_search
from dltk.search.ledger import Ledger
from dltk.search.limits import Bounds

FLOAT32 = 400_000  # bytes
SENSITIVE = ("first", "last", "middle", "a", "b", "c", "d", "e")  # so up to four are left float
SPREAD = 0.01  # of the interval, to each side

Evaluate = Callable[[tuple[str, ...]], dict[str, Any]]


def row(steps: tuple[str, ...]) -> dict[str, Any]:
    """int8 loses 0.03, repaired 0.02; each layer left float gives 0.004 back for 10 KB; trained it loses 0.008."""
    text = " ".join(steps)
    size, download, drop = 100_000.0, 90_000.0, 0.02
    if "repair=false" in text:
        drop += 0.01
    if kept := re.search(r":keep=([a-z,]+)|,keep=([a-z,]+)", text):
        count = len((kept[1] or kept[2]).split(","))
        drop, size, download = drop - 0.004 * count, size + 10_000 * count, download + 9_000 * count
    if "method=qat" in text:
        drop -= 0.012
    if "float16" in text:
        size, download, drop = 200_000, 180_000, 0.0
    if found := re.search(r"sparsity=([\d.]+)", text):
        share = float(found[1])
        download, drop = download * (1 - 0.7 * share), drop + 0.02 * share**3
    if found := re.search(r"clusters=(\d+)", text):
        download, drop = download * (0.5 + int(found[1]) / 256), drop + 0.03 / int(found[1])
    if found := re.search(r"channels:keep=([\d.]+)", text):
        share = float(found[1])
        size, download, drop = size * share, download * share, drop + 0.02 * (1 - share)
    if found := re.search(r"width:([\d.]+)", text):
        share = float(found[1]) ** 2
        size, download, drop = size * share, download * share, drop + 0.04 * (1 - share)
    interval = [drop - SPREAD, drop + SPREAD]
    return {"bytes": round(size), "download_bytes": round(download), "p50_ms": size / 1e5,
            "metric": {"drop": drop, "interval": interval}, "parity": {"error": 0.01}}  # fmt: skip


def bounds(**limits: Any) -> Bounds:
    """Limits on the made-up model."""
    return Bounds(**limits, float32_bytes=FLOAT32)


def searched(
    folder: Path,
    wanted: Bounds,
    *,
    trials: int = 6,
    evaluate: Evaluate = row,
    trains: bool = True,
    kept: list[tuple[str, ...]] | None = None,
    progress: Progress = SILENT,
) -> SearchResult:
    """`run_search` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    keep = (lambda steps: None) if kept is None else kept.append
    maker = CandidateMaker(evaluate, keep, lambda: SENSITIVE, trains)
    ledger = Ledger(folder / "candidates")
    return run_search(wanted, maker, ledger, study=folder / "study.db", trials=trials, seed=3, progress=progress)
