"""An artifact against its reference, run in a fresh process without TensorFlow (floor 8)."""

from __future__ import annotations

from dltk.edge.worker import WorkerResult, run_worker
from dltk.validate.check import Gate, Verdict, judge

__all__ = ["Gate", "Verdict", "WorkerResult", "judge", "run_worker"]
