"""The golden replay of `validate`, on the finished files: its limits are measured, then it is run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dltk.base.errors import LimitError
from dltk.bundle import BundleOptions, Sealing
from dltk.edge.bundle.arrays import npz_bytes
from dltk.edge.bundle.integrity import VerifiedBundle
from dltk.edge.bundle.manifest import parse
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.recorded_errors import KEY, distances, record_errors
from dltk.edge.replay import Golden, replay_sealed
from dltk.edge.runtime.port import Port
from dltk.export import micro
from dltk.validate import Gate, WorkerResult, run_worker
from dltk.workflows.measure import Evaluation, Measured, Outputs, reference_outputs

__all__ = ["golden_of", "replay_before_writing", "output_quantization_steps", "with_golden_errors"]


def golden_of(model: Any, samples: Evaluation, signature: Signature, options: BundleOptions) -> bytes:
    """The bytes of `golden.npz`: raw samples, their tensors, the float32 reference's outputs, targets where known.

    The samples are the first test samples, or made-up ones.
    """
    kind = family(signature.family)
    if options.synthetic:
        raws, targets = kind.synthetic(signature, count=options.golden, seed=0), None
        reference: Outputs = reference_outputs(model, raws, signature)
    else:
        raws = samples.raws[: options.golden]
        targets = None if samples.targets is None else samples.targets[: options.golden]
        reference = {name: value[: options.golden] for name, value in samples.reference.items()}
    arrays = {"raw": raws} | {f"tensor:{name}": value for name, value in kind.tensors(raws, signature).items()}
    arrays |= {f"output:{name}": np.asarray(value, np.float32) for name, value in reference.items()}
    return npz_bytes(arrays if targets is None else arrays | {"target": targets})


def with_golden_errors(
    found: Sequence[Measured], known: Golden, signature: Signature, samples: Evaluation, gate: Gate
) -> list[Measured]:
    """`found` with what each file gave on the golden samples, in the light worker: "golden" in its artifact's parity.

    Args:
        known: the golden samples.
        samples: the samples that the files were evaluated on.
    """
    return [_with_golden(one, known, signature, samples, gate) if one.verdict.passed else one for one in found]


def _with_golden(one: Measured, known: Golden, signature: Signature, samples: Evaluation, gate: Gate) -> Measured:
    result = run_worker(one.data, one.target.format, signature, known.raws)
    common: dict[str, Any] = {
        "precision": one.target.precision,
        "tolerance": gate.float32,
        "steps": _steps(one, result),
    }
    first = record_errors(known.outputs, result.outputs, **common)
    largest = float(distances(samples.reference, one.result.outputs, first.unit).max())
    then = record_errors(known.outputs, result.outputs, largest=largest, **common)
    parity = {**one.artifact.parity, KEY: then.as_dict()}
    return replace(one, artifact=replace(one.artifact, parity=parity))


def _steps(one: Measured, result: WorkerResult) -> dict[str, float | None]:
    if not one.target.precision.startswith("int"):
        return {}
    return output_quantization_steps(one.target.format, one.data, result.output_ports)


def replay_before_writing(sealing: Sealing, target: Path) -> None:
    """Replay the golden samples of a bundle that is not written yet, as `validate` will replay them.

    Raises:
        LimitError: if a file's predictions differ from those that were measured; `measured` is the replay's report.
    """
    manifest = parse(sealing.manifest().to_bytes(), target)
    try:
        replay_sealed(VerifiedBundle(target, manifest, sealing.files), isolated=True)
    except LimitError as fault:
        rule = "must give the measured predictions in a replay"
        hint = "No bundle was written. Its predictions differ from run to run: omit that file with --precision."
        raise LimitError(target, rule, fault.received, hint, measured=fault.measured) from fault


# What moves or selects numbers and changes none.
_MOVES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose")


def output_quantization_steps(format: str, data: bytes, ports: Sequence[Port]) -> dict[str, float | None]:
    """Output name -> its step in real numbers; None where the output is not on a grid, as that of a float softmax.

    Args:
        ports: the outputs, as they stand in the file.
    """
    if format == "tflite":
        return {port.name: step for port, step in zip(ports, micro.output_steps(data), strict=True)}
    import onnx

    graph = onnx.load_model_from_string(data).graph
    makers = {output: node for node in graph.node for output in node.output}
    constants = {item.name: item for item in graph.initializer}
    return {port.name: _step(port.name, makers, constants) for port in ports}


def _step(name: str, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> float | None:
    from onnx import numpy_helper

    node = makers.get(name)
    while node is not None and node.op_type in _MOVES:
        node = makers.get(node.input[0])
    if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in constants:
        return None
    scale = numpy_helper.to_array(constants[node.input[1]])
    return float(scale.ravel()[0]) if scale.size == 1 else None
