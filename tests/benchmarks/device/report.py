"""What `dltk validate` found in a bundle, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.kit import Row
from dltk.edge.bundle.integrity import read_manifest
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.parity import COSINE, MAX_ABS
from dltk.edge.recorded_errors import GOLDEN_ERROR

__all__ = ["parity_row", "refused_row", "rows_of", "tensors_row"]

_MEASURES = {MAX_ABS: "within {:g} x max(1, largest)", COSINE: "cosine at least {:g}"}
_OLDEST_FIRST = ("tflite-runtime 2.14.0", "ai-edge-litert 1.0.0")  # what manifests may ask for; any other is newer


def rows_of(target: str, bundle: Path, report: Mapping[str, Any], format: str, runtime: str) -> list[Row]:
    """A row an artifact of `format`, and one for the input tensors.

    Args:
        report: `dltk validate --json`.
        runtime: that ran there, "ai-edge-litert 1.0.0".
    """
    artifacts = {each.file: each for each in read_manifest(bundle).artifacts}
    rows = []
    for found in report["artifacts"]:
        if found["format"] == format:
            row = refused_row if found["status"] == "failed" and found["parity"] is None else parity_row
            rows.append(row(target, bundle, artifacts[found["file"]], found, runtime))
    return [*rows, tensors_row(target, bundle, report)]


def parity_row(target: str, bundle: Path, artifact: Artifact, found: Mapping[str, Any], runtime: str = "") -> Row:
    """How near an artifact comes to the reference that is sealed with it."""
    parity = found["parity"]
    if parity["measure"] == GOLDEN_ERROR:
        return _golden_row(target, bundle, artifact, found)
    promise = _MEASURES[parity["measure"]].format(parity["tolerance"])
    error = f"{1 - parity['error']:.6f}" if parity["measure"] == COSINE else f"{parity['error']:.2g}"
    measured = "; ".join(found["reasons"]) or error
    return Row(target, f"{bundle.name}/{artifact.file}", promise, measured, found["status"] == "passed")


def _golden_row(target: str, bundle: Path, artifact: Artifact, found: Mapping[str, Any]) -> Row:
    """How much farther from the reference the worst golden sample lies than it did at export."""
    parity = found["parity"]
    promise = f"error of every golden sample at most {parity['tolerance']:g} units above that at export"
    measured = "; ".join(found["reasons"]) or f"{parity['error'] - parity['recorded']:+.2g} units"
    return Row(target, f"{bundle.name}/{artifact.file}", promise, measured, found["status"] == "passed")


def refused_row(target: str, bundle: Path, artifact: Artifact, found: Mapping[str, Any], runtime: str) -> Row:
    """A file that `runtime` refuses is right to be refused if its manifest asks for a newer one."""
    claimed, promise = artifact.minimum_runtime, "loads, or its `minimum_runtime` is newer"
    if _age(claimed) > _age(runtime):
        return Row(target, f"{bundle.name}/{artifact.file}", promise, f"refused; requires {claimed}", True)
    measured = f"refused; requires {claimed}: {'; '.join(found['reasons'])}"
    return Row(target, f"{bundle.name}/{artifact.file}", promise, measured, False)


def tensors_row(target: str, bundle: Path, report: Mapping[str, Any]) -> Row:
    """Whether raw samples become the input tensors that they became on the workstation."""
    equal, words = bool(report["tensors_equal"]), "bit-identical"
    return Row(target, f"{bundle.name}: input tensors", words, words if equal else "different", equal)


def _age(runtime: str) -> int:
    return _OLDEST_FIRST.index(runtime) if runtime in _OLDEST_FIRST else len(_OLDEST_FIRST)
