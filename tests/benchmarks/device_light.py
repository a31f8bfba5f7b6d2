"""x86-64 as a device has it: numpy, Pillow, click, rich and exactly one runtime; no TensorFlow can be imported there.

The newest runtimes, the same with NumPy 1, and the oldest that manifests name as their `minimum_runtime`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import light_env
from device_bundles import bundles
from device_held import files_of
from device_kit import Row, folded
from shell import ROOT, Failure, console_script

from dltk.edge.parity import COSINE, MAX_ABS

__all__ = ["rows"]

_MEASURES = {MAX_ABS: "within, x max(1, largest):", COSINE: "cosine at least"}
_NUMPY_1 = "numpy==1.26.4"  # the last of NumPy 1


@dataclass(frozen=True)
class _Environment:
    """A runtime of `format`: dltk's own choice (its extra), or exactly `runtime`; and the NumPy."""

    name: str
    format: str
    runtime: str = ""
    numpy: str = ""


_ENVIRONMENTS = (
    _Environment("newest-tflite", "tflite"),
    _Environment("newest-onnx", "onnx"),
    _Environment("numpy1-tflite", "tflite", numpy=_NUMPY_1),
    _Environment("numpy1-onnx", "onnx", numpy=_NUMPY_1),
    _Environment("oldest-tflite", "tflite", "ai-edge-litert==1.0.0", _NUMPY_1),
    _Environment("oldest-onnx", "onnx", "onnxruntime==1.15.0", _NUMPY_1),
)


def rows(work: Path) -> list[Row]:
    """`dltk validate` of every bundle in every environment: parity as the manifest has it."""
    made, found = bundles(work), list[tuple[str, Row]]()
    for environment in _ENVIRONMENTS:
        try:
            python = _ready(work / environment.name, environment)
        except Failure:
            reason = "the wheels do not go together"
            found.append((environment.name, Row("x86-light", "all", "", reason, None)))
            continue
        runtime = _versions(python, environment.format)
        for bundle in made:
            if files_of(bundle, environment.format):
                found += [(runtime, row) for row in _validated(python, bundle, environment.format)]
    return folded(found)


def _ready(folder: Path, environment: _Environment) -> Path:
    """Its Python. What was fetched stays; dltk itself is the checkout's, as it is now."""
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        extra = "" if environment.runtime else environment.format
        also = [word for word in (environment.runtime, environment.numpy) if word]
        light_env.build(folder, extra=extra, also=also)
        (folder / ".ready").touch()
    (site,) = folder.glob("lib/python3*/site-packages")
    shutil.rmtree(site / "dltk", ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "toolkit" / "dltk", site / "dltk", ignore=unwanted)
    shutil.copytree(ROOT / "recipes", site / "dltk" / "recipes", ignore=unwanted)
    light_env.prove_light(python)
    return python


def _validated(python: Path, bundle: Path, format: str) -> list[Row]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [console_script(python), "validate", bundle, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        reason = f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"
        return [Row("x86-light", bundle.name, "validates", reason, False)]
    report = json.loads(done.stdout)
    whole = Row(
        "x86-light",
        f"{bundle.name}: input tensors",
        "equal to the bit",
        "equal to the bit" if report["tensors_equal"] else "different",
        bool(report["tensors_equal"]),
    )
    return [*(_row(each, bundle) for each in report["artifacts"] if each["format"] == format), whole]


def _row(found: dict[str, Any], bundle: Path) -> Row:
    parity, status = found["parity"], found["status"]
    promise = "runs"
    if parity:
        promise = f"{_MEASURES[parity['measure']]} {parity['tolerance']:g}"
    measured = f"error {parity['error']:.2g}" if parity and not found["reasons"] else "; ".join(found["reasons"])
    return Row("x86-light", f"{bundle.name}/{found['file']}", promise, measured, status == "passed")


def _versions(python: Path, format: str) -> str:
    """ "ai-edge-litert 2.3.0, numpy 2.4.6"."""
    name = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}[format]
    code = f"from importlib.metadata import version as v; print('{name}', v('{name}') + ', numpy', v('numpy'))"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
