"""A second environment, as small as a device's: dltk with one runtime, and no TensorFlow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from support.shell import ROOT, Failure, run

__all__ = ["HEAVY", "build", "prove_light"]

HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "onnx", "sklearn", "scipy", "pandas")


def build(folder: Path, *, extra: str = "tflite", also: Sequence[str] = ()) -> Path:
    """Make the environment in `folder`, which is emptied first; returns its Python.

    dltk is installed from the wheel that `make wheel` builds, as on a device.

    Args:
        extra: of dltk; empty: none.
        also: further requirements, chosen together with dltk's own.
    """
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    with tempfile.TemporaryDirectory(prefix="dltk-light-") as scratch:
        run(["make", "-s", "-C", ROOT, "wheel", f"DIST={scratch}"])
        (wheel,) = Path(scratch).glob("*.whl")
        for command in _commands(folder, python, [f"{wheel}[{extra}]" if extra else str(wheel), *also]):
            run(command)
    return python


def prove_light(python: Path) -> None:
    """Stop unless none of `HEAVY` can be imported by `python`, and dltk is not the checkout's."""
    code = (
        "import importlib.util as u, json, dltk;"
        f"print(json.dumps([dltk.__file__, [n for n in {HEAVY!r} if u.find_spec(n)]]))"
    )
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"the light environment cannot import dltk: {done.stderr.strip()}")
    home, heavy = json.loads(done.stdout)
    if heavy:
        raise Failure(f"the light environment is not light, it has {', '.join(heavy)}")
    if Path(home).is_relative_to(ROOT / "toolkit"):
        raise Failure(f"the light environment must have its own copy of dltk, not {home}")
    print(f"none of {', '.join(HEAVY)} can be imported there", flush=True)


def _commands(folder: Path, python: Path, wanted: Sequence[str]) -> list[list[str | Path]]:
    beside = Path(sys.executable).parent / "uv"
    uv = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if uv:
        return [
            [uv, "venv", "-q", "--python", sys.executable, folder],
            [uv, "pip", "install", "-q", "--python", python, *wanted],
        ]
    return [[sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-q", *wanted]]
