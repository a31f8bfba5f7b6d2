"""x86-64 as a device has it: NumPy, Pillow, click, rich, tokenizers and exactly one runtime; no TensorFlow is there.

The newest runtimes, the same with NumPy 1, and the oldest that manifests name as their `minimum_runtime`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from device.bundles import bundles
from device.held import files_of
from device.kit import Row, folded
from device.report import rows_of
from support import light_env
from support.shell import ROOT, Failure, console_script

__all__ = ["NUMPY_1", "Environment", "ready", "rows"]

NUMPY_1 = "numpy==1.26.4"  # the last of NumPy 1


@dataclass(frozen=True)
class Environment:
    """A runtime of `format`: dltk's own choice (its extra), or exactly `runtime`; and the NumPy."""

    name: str
    format: str
    runtime: str = ""
    numpy: str = ""


_ENVIRONMENTS = (
    Environment("newest-tflite", "tflite"),
    Environment("newest-onnx", "onnx"),
    Environment("numpy1-tflite", "tflite", numpy=NUMPY_1),
    Environment("numpy1-onnx", "onnx", numpy=NUMPY_1),
    Environment("oldest-tflite", "tflite", "ai-edge-litert==1.0.0", NUMPY_1),
    Environment("before-tflite", "tflite", "tflite-runtime==2.14.0", NUMPY_1),
    Environment("oldest-onnx", "onnx", "onnxruntime==1.15.0", NUMPY_1),
)


def rows(work: Path) -> list[Row]:
    """`dltk validate` of every bundle in every environment: parity as the manifest has it."""
    made, found = bundles(work), list[tuple[str, Row]]()
    for environment in _ENVIRONMENTS:
        try:
            python = ready(work / environment.name, environment)
        except Failure:
            reason = "the wheels do not go together"
            found.append((environment.name, Row("x86-light", "all", "", reason, None)))
            continue
        runtime, numpy = _versions(python, environment)
        for bundle in made:
            if files_of(bundle, environment.format):
                found += [
                    (f"{runtime} + NumPy {numpy}", row) for row in _validated(python, bundle, environment, runtime)
                ]
    return folded(found)


def ready(folder: Path, environment: Environment) -> Path:
    """Its Python. What was fetched stays; dltk itself is the checkout's, as it is now."""
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        extra = "text" if environment.runtime else f"{environment.format},text"  # texts need a tokenizer beside it
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


def _validated(python: Path, bundle: Path, environment: Environment, runtime: str) -> list[Row]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [console_script(python), "validate", bundle, "--json"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        reason = f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"
        return [Row("x86-light", bundle.name, "validates", reason, False)]
    return rows_of("x86-light", bundle, json.loads(done.stdout), environment.format, runtime)


def _versions(python: Path, environment: Environment) -> tuple[str, str]:
    """Of the runtime, "ai-edge-litert 2.3.0", and of NumPy."""
    chosen = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}[environment.format]
    name = environment.runtime.partition("==")[0] or chosen
    code = f"from importlib.metadata import version; print(version({name!r}), version('numpy'))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    runtime, numpy = done.stdout.split()
    return f"{name} {runtime}", numpy
