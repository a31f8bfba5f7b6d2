"""Check that a bundle still gives its recorded predictions: golden samples through every artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.archives import SMALL
from dltk.base.errors import EnvironmentFault, InputError, LimitError, UsageError
from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.arrays import parse_npz
from dltk.edge.bundle.consistency import require_raws
from dltk.edge.bundle.integrity import BUDGET, VerifiedBundle, read_bundle
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import Labelled, family, require_finite
from dltk.edge.load import open_artifact
from dltk.edge.parity import COSINE, compare, output_faults, parity_text
from dltk.edge.recorded_errors import KEY, RecordedErrors, check_replay
from dltk.edge.runtime.port import RUNTIMES
from dltk.edge.runtime.sessions import available, install_hint
from dltk.edge.scoring import score

if TYPE_CHECKING:
    from dltk.edge.bundle.seal import Key

__all__ = ["GOLDEN", "Golden", "as_text", "read_golden", "recorded_errors_of", "replay", "replay_sealed"]

GOLDEN = "golden.npz"
_TOP = 5  # labels a sample that are decoded
_FEW = 4  # a mean error of a few samples, against that of all: where a bundle records no more than the latter


@dataclass(frozen=True)
class Golden:
    """A few samples with the predictions of the float32 reference.

    Attributes:
        raws: (n, ...).
        tensors: input name -> (n, ...), what the raw samples became on the workstation.
        outputs: output name -> float32 (n, ...), the reference's.
    """

    raws: NDArray[Any]
    tensors: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]]


def read_golden(data: bytes, signature: Signature, where: object = GOLDEN) -> Golden:
    """The golden samples in the bytes of `golden.npz`: keys "raw", "tensor:NAME", "output:NAME", maybe "target".

    Raises:
        InputError: if a key is missing, the arrays differ in length, or are not of the signature's dtypes and shapes.
    """
    inputs, outputs = ([spec.name for spec in specs] for specs in (signature.inputs, signature.outputs))
    keys = ["raw", *(f"tensor:{name}" for name in inputs), *(f"output:{name}" for name in outputs)]
    found = parse_npz(data, where, keys, limit=max(SMALL, 2 * len(data)))  # as dltk writes it, it is not packed
    lengths = {key: len(array) if array.ndim else 0 for key, array in found.items()}
    if len(set(lengths.values())) != 1 or not lengths["raw"]:
        raise InputError(where, "every array must hold the same samples, at least one", lengths)
    require_raws(found["raw"], signature, where)
    for kind, specs in (("tensor", signature.inputs), ("output", signature.outputs)):
        for spec in specs:
            array = found[f"{kind}:{spec.name}"]
            if array.shape[1:] != spec.sample_shape or array.dtype.kind not in "fiu":
                rule = f"{kind} {spec.name!r} must be numbers of shape {spec.sample_shape} a sample"
                raise InputError(where, rule, f"{array.dtype} {array.shape[1:]}")
    tensors = {name: found[f"tensor:{name}"] for name in inputs}
    return Golden(found["raw"], tensors, {name: found[f"output:{name}"] for name in outputs})


def replay(
    path: str | Path,
    *,
    runtime: str | None = None,
    data: str | Path | None = None,
    verify: Key | None = None,
    max_memory: int = BUDGET,
    isolated: bool = False,
) -> dict[str, Any]:
    """Check every file of the bundle, run its golden samples, and compare with what is recorded.

    Args:
        runtime: only artifacts of this format; None: all that a runtime is installed for.
        data: labelled data to score the artifacts on: one folder per class, a CSV of path,label, or of measurements.
        verify, max_memory: as for `load`.
        isolated: run the golden samples in a child process per artifact, as `dltk validate` does: a file that crashes
            its runtime, or never ends, then counts as failed. Each child process takes the start of a Python.

    Returns:
        {"bundle", "files", "samples", "tensors_equal", "passed", "artifacts": [{"file", "format", "precision",
        "status" ("passed", "failed", "skipped"), "parity", "reasons", "metric"}], "data": None, or {"samples",
        "skipped": [{"name", "reason"}], "notes"}}.

    Raises:
        UsageError: if `runtime` is no format of an artifact.
        InputError: if the bundle is damaged, or not signed by the key that is asked for.
        LimitError: if anything differs; `measured` holds all of the above.
        EnvironmentFault: if no artifact could be run, or `isolated` and no child process can be started.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise UsageError("runtime", f"must be one of {', '.join(RUNTIMES)}", runtime)
    sealed = read_bundle(path, verify=verify, max_memory=max_memory)
    return replay_sealed(sealed, runtime=runtime, data=data, isolated=isolated)


def replay_sealed(
    sealed: VerifiedBundle, *, runtime: str | None = None, data: str | Path | None = None, isolated: bool = False
) -> dict[str, Any]:
    """`replay` of files that were read already, or are still to be written: what `export` does before it seals.

    Raises InputError, LimitError and EnvironmentFault as `replay` does.
    """
    signature = sealed.signature
    _check_labels(sealed)
    samples = read_golden(_file(sealed, GOLDEN), signature, sealed.path / GOLDEN)
    scored = None if data is None else family(signature.family).labelled(data, signature)
    artifacts = [
        _replay_one(artifact, sealed.files[artifact.file], samples, signature, runtime, scored, isolated)
        for artifact in sealed.manifest.artifacts
    ]
    if all(found["status"] == "skipped" for found in artifacts):
        raise EnvironmentFault(sealed.path, "no artifact has a runtime here", runtime, install_hint())
    equal = _tensors_equal(samples, signature)
    report = {
        "bundle": sealed.manifest.name,
        "files": len(sealed.files),
        "samples": len(samples.raws),
        "tensors_equal": equal,
        "passed": equal and not any(found["status"] == "failed" for found in artifacts),
        "artifacts": artifacts,
        "data": None if scored is None else scored.as_dict(),
    }
    if not report["passed"]:
        raise LimitError(sealed.path, "must give its recorded predictions", _first_fault(report), measured=report)
    return report


def as_text(report: Mapping[str, Any]) -> str:
    """What `replay` returned or measured, as lines for a person."""
    equal = "bit-identical" if report["tensors_equal"] else "DIFFERENT"
    lines = [f"{report['bundle']}: {report['files']} files intact, {report['samples']} golden samples, tensors {equal}"]
    for artifact in report["artifacts"]:
        words = [f"  {artifact['status']:<8} {artifact['file']}"]
        if artifact["parity"]:
            words.append(parity_text(artifact["parity"]))
        if artifact["metric"]:
            words.append("{name} {value:.4f} on {samples} samples".format(**artifact["metric"]))
        lines.append("  ".join(words + artifact["reasons"]))
    lines += report["data"]["notes"] if report["data"] else []
    return "\n".join(map(one_line, lines))


def _replay_one(
    artifact: Artifact,
    data: bytes,
    samples: Golden,
    signature: Signature,
    runtime: str | None,
    scored: Labelled | None,
    isolated: bool,
) -> dict[str, Any]:
    report = {"file": artifact.file, "format": artifact.format, "precision": artifact.precision}
    then = recorded_errors_of(artifact, samples, signature)
    if artifact.format not in available() or runtime not in (None, artifact.format):
        reason = "left out by --runtime" if artifact.format in available() else "no runtime for it is installed"
        return report | {"status": "skipped", "parity": None, "reasons": [reason], "metric": None}
    try:
        outputs = (_outputs_apart if isolated else _outputs)(artifact, data, samples, signature)
    except (InputError, LimitError) as fault:  # sound bytes that fail in this machine's runtime: the others may do
        return report | {"status": "failed", "parity": None, "reasons": [str(fault)], "metric": None}
    reasons, parity = _verdict(artifact, then, outputs, samples, signature)
    reasons = reasons or _undecoded(outputs, samples, signature)
    try:
        metric = None if scored is None else score(open_artifact(artifact, data, signature), signature, scored)
    except InputError as fault:  # it gives numbers on the golden samples, and none on these
        metric, reasons = None, [*reasons, str(fault)]
    return report | {
        "status": "failed" if reasons else "passed",
        "parity": parity,
        "reasons": reasons,
        "metric": metric,
    }


def recorded_errors_of(artifact: Artifact, samples: Golden, signature: Signature) -> RecordedErrors | None:
    """The recorded errors of the golden samples at export; None in older bundles, which have none.

    Raises:
        InputError: if the manifest's values do not fit.
    """
    if KEY not in artifact.parity:
        return None
    names = [spec.name for spec in signature.outputs]
    return RecordedErrors.from_dict(artifact.parity[KEY], names, len(samples.raws), artifact.file)


def _verdict(
    artifact: Artifact,
    then: RecordedErrors | None,
    outputs: Mapping[str, NDArray[Any]],
    samples: Golden,
    signature: Signature,
) -> tuple[list[str], dict[str, Any] | None]:
    """Reasons against the artifact, and what was measured: by its golden samples at export, else by its limits."""
    reasons = output_faults(samples.outputs, outputs, signature, may_be_constant=then is not None)
    if reasons:
        return reasons, None
    if then is None:
        parity = compare(samples.outputs, outputs, signature, **_limits(artifact))
        if _is_far(parity, artifact.parity.get("error")):
            parity |= {"passed": False, "faults": [parity_text(parity)]}
        parity.pop("notes", None)
    else:
        parity = check_replay(then, samples.outputs, outputs)
    faults = parity.pop("faults", [parity_text(parity)])
    return ([] if parity.pop("passed") else faults), parity


def _outputs(artifact: Artifact, data: bytes, samples: Golden, signature: Signature) -> Mapping[str, NDArray[Any]]:
    return open_artifact(artifact, data, signature).run(samples.tensors)


@installed_only
def _outputs_apart(
    artifact: Artifact, data: bytes, samples: Golden, signature: Signature
) -> Mapping[str, NDArray[Any]]:
    """Computed from the raw samples; `_tensors_equal` checks that they become the stored tensors."""
    from dltk.edge.runtime.worker import run_worker

    try:
        return run_worker(data, artifact.format, signature, samples.raws).outputs
    except (InputError, LimitError) as fault:
        hint = fault.hint or f"It is known to load in {artifact.minimum_runtime}."
        raise type(fault)(artifact.file, fault.rule, fault.received, hint) from fault


def _undecoded(outputs: Mapping[str, NDArray[Any]], samples: Golden, signature: Signature) -> list[str]:
    """Why the outputs cannot be decoded; empty if they can, including the printed text."""
    kind = family(signature.family)
    try:
        left = kind.narrow(require_finite(outputs), samples.raws, signature)
        for answer in kind.predictions({**samples.tensors, **left}, signature, top=_TOP):
            kind.as_json(answer)
            kind.as_text(answer)
    except InputError as fault:
        return [str(fault)]
    return []


def _is_far(parity: Mapping[str, Any], then: Any) -> bool:
    """Whether a mean cosine misses its limit, and by far more than so few samples may differ from all at export."""
    known = isinstance(then, (int, float)) and 0 <= then <= 2
    limit = max(1.0 - parity["tolerance"], _FEW * then if known else 0.0)
    return bool(parity["measure"] == COSINE and parity["error"] > limit)


def _limits(artifact: Artifact) -> dict[str, Any]:
    recorded = artifact.parity
    try:
        limits = {"measure": str(recorded["measure"]), "tolerance": float(recorded["tolerance"])}
    except (KeyError, TypeError, ValueError, OverflowError) as fault:
        raise InputError(f"{artifact.file}: parity", "needs a measure and a tolerance", dict(recorded)) from fault
    if recorded.get("top1_tolerance") is not None:
        limits["top1_tolerance"] = float(recorded["top1_tolerance"])
    return limits


def _tensors_equal(samples: Golden, signature: Signature) -> bool:
    """Exact: preprocessing is the same code with the same arithmetic on every machine."""
    made = family(signature.family).tensors(samples.raws, signature)
    return set(made) == set(samples.tensors) and all(
        made[name].dtype == stored.dtype and made[name].tobytes() == np.ascontiguousarray(stored).tobytes()
        for name, stored in samples.tensors.items()
    )


def _file(sealed: VerifiedBundle, name: str) -> bytes:
    if name not in sealed.files:
        raise InputError(sealed.path, f"must hold {name}", hint="Export the bundle again.")
    return sealed.files[name]


def _check_labels(sealed: VerifiedBundle) -> None:
    labels = sealed.manifest.signature.labels
    if "labels.txt" in sealed.files and sealed.files["labels.txt"] != "".join(f"{x}\n" for x in labels).encode():
        raise InputError(sealed.path / "labels.txt", "must hold the manifest's labels, one per line")


def _first_fault(report: Mapping[str, Any]) -> str:
    if not report["tensors_equal"]:
        return "input tensors that differ from the stored ones"
    found = next(artifact for artifact in report["artifacts"] if artifact["status"] == "failed")
    return f"{found['file']}: {found['reasons'][0]}"
