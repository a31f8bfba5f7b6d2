"""The golden replay of `validate`, on the finished files: what it will be held to is measured, then it is done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk.base.errors import LimitError
from dltk.bundle import Sealing
from dltk.edge.integrity import Sealed
from dltk.edge.manifest import parse
from dltk.edge.recorded import KEY, distances, recorded
from dltk.edge.replay import Golden, golden, replay_sealed
from dltk.edge.signature import Signature
from dltk.export.steps import steps_of
from dltk.validate import Gate, WorkerResult, run_worker
from dltk.workflows.measure import Evaluation, Measured

__all__ = ["rehearse", "with_golden"]


def with_golden(
    found: Sequence[Measured], proof: bytes, signature: Signature, samples: Evaluation, gate: Gate
) -> list[Measured]:
    """`found` with what each file gave on the golden samples, in the light worker: "golden" in its artifact's parity.

    Args:
        proof: the bytes of `golden.npz`.
        samples: what the files were judged on.
    """
    known = golden(proof, signature)
    return [_with_golden(one, known, signature, samples, gate) if one.verdict.passed else one for one in found]


def _with_golden(one: Measured, known: Golden, signature: Signature, samples: Evaluation, gate: Gate) -> Measured:
    result = run_worker(one.data, one.target.format, signature, known.raws)
    common: dict[str, Any] = {
        "precision": one.target.precision,
        "tolerance": gate.float32,
        "steps": _steps(one, result),
    }
    first = recorded(known.outputs, result.outputs, **common)
    largest = float(distances(samples.reference, one.result.outputs, first.unit).max())
    then = recorded(known.outputs, result.outputs, largest=largest, **common)
    parity = {**one.artifact.parity, KEY: then.as_dict()}
    return replace(one, artifact=replace(one.artifact, parity=parity))


def _steps(one: Measured, result: WorkerResult) -> dict[str, float | None]:
    if not one.target.precision.startswith("int"):
        return {}
    return steps_of(one.target.format, one.data, result.output_ports)


def rehearse(sealing: Sealing, target: Path) -> None:
    """Replay the golden samples of a bundle that is not written yet, as `validate` will replay them.

    Raises:
        LimitError: if a file answers otherwise than it did when it was measured; `measured` is the replay's report.
    """
    manifest = parse(sealing.manifest().to_bytes(), target)
    try:
        replay_sealed(Sealed(target, manifest, sealing.files), isolated=True)
    except LimitError as fault:
        rule = "must give in a replay what was measured for it"
        hint = "No bundle was written. Its answers differ from run to run: leave that file out with --precision."
        raise LimitError(target, rule, fault.received, hint, measured=fault.measured) from fault
