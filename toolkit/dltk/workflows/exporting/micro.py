"""The TFLite files of a bundle in TensorFlow Lite Micro, and C sources of those that pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dltk.edge.bundle.signature import Signature
from dltk.edge.replay import Golden
from dltk.export.emit import PAIRS, Target
from dltk.export.micro import Micro, c_sources, identifier, operators, output_steps
from dltk.validate import Gate, WorkerResult, micro_distance, micro_runtime, run_micro, run_worker
from dltk.workflows.measure import Measured

__all__ = ["micro", "on_micro"]


def on_micro(
    found: Sequence[Measured], samples: Golden, signature: Signature, name: str, gate: Gate
) -> tuple[list[Measured], dict[str, bytes]]:
    """`found` with what the golden samples gave in TensorFlow Lite Micro, and the C sources: file name -> bytes.

    The measurements are in the artifact's parity as "micro": {"runtime", "measure", "error", "tolerance",
    "samples", "arena_bytes", "files"}. A file that does not pass gets a reason against it.

    Args:
        samples: the golden ones.
        name: the bundle's: names in C are made of it.

    Raises:
        InputError: if TensorFlow Lite Micro has no kernel for one of the operators, or refuses the file otherwise.
        EnvironmentFault: if tflite-micro is not installed.
    """
    held, sources = list[Measured](), dict[str, bytes]()
    for one in found:
        if one.target.format == "tflite" and one.target.precision in PAIRS["c"] and one.verdict.passed:
            told, made = micro(one.data, one.target, signature, samples, name, gate)
            one, sources = _recorded(one, told), sources | made
        held.append(one)
    return held, sources


def micro(
    data: bytes, target: Target, signature: Signature, samples: Golden, name: str, gate: Gate
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What one TFLite file gave in TensorFlow Lite Micro, and "passed"; and its C sources. See `on_micro`."""
    used, here = operators(data, target.file), run_worker(data, "tflite", signature, samples.raws)
    there = run_micro(data, here.input_ports, here.output_ports, samples.tensors, target.file)
    steps = {} if target.precision == "float32" else _steps(data, here)
    parity = micro_distance(there.outputs, here.outputs, steps, most_steps=gate.micro_steps, tolerance=gate.float32)
    runtime = micro_runtime()
    described = Micro(
        identifier(name, target.precision), f"Model {name}, {target.precision}", here.input_ports, here.output_ports,
        signature.labels, used, there.arena_bytes, runtime,
    )  # fmt: skip
    sources = c_sources(data, described)
    told = {"runtime": runtime, "samples": len(samples.raws), "arena_bytes": there.arena_bytes, "files": list(sources)}
    return parity | told, sources


def _steps(data: bytes, here: WorkerResult) -> dict[str, float]:
    """Output name -> its step; where the plan left the end of the model float, the one that int8 would give it."""
    found = {}
    for port, step in zip(here.output_ports, output_steps(data), strict=True):
        found[port.name] = step or float(np.ptp(here.outputs[port.name])) / 255 or 1.0
    return found


def _recorded(one: Measured, told: Mapping[str, Any]) -> Measured:
    kept = {key: value for key, value in told.items() if key != "passed"}
    artifact = replace(one.artifact, parity={**one.artifact.parity, "micro": kept})
    if told["passed"]:
        return replace(one, artifact=artifact)
    kind = "steps" if told["measure"] == "steps" else "x max(1, largest output)"
    limit = f"{told['tolerance']:g} {kind}"
    reason = f"in TensorFlow Lite Micro differs from LiteRT by {told['error']:.3g}, more than {limit}"
    return replace(one, artifact=artifact, verdict=replace(one.verdict, reasons=(*one.verdict.reasons, reason)))
