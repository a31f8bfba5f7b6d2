"""An artifact against its reference, run in a fresh process without TensorFlow (floor 8)."""

from __future__ import annotations

from dltk.edge.runtime.worker import WorkerResult, run_worker
from dltk.validate.check import Gate, Scoring, Verdict, compare_outputs
from dltk.validate.micro import MicroResult, micro_distance, micro_runtime, run_micro

__all__ = [
    "Gate",
    "MicroResult",
    "Scoring",
    "Verdict",
    "WorkerResult",
    "micro_distance",
    "compare_outputs",
    "micro_runtime",
    "run_micro",
    "run_worker",
]
