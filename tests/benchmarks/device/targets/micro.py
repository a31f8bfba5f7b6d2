"""TensorFlow Lite Micro: what `dltk export --format c` would make of every bundle's TFLite files.

The interpreter is the one of PyPI's tflite-micro: the reference kernels that microcontrollers have, on this processor.
The C sources are compiled, as C and as C++, and have to give back the file's bytes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from device.bundles import bundles
from device.held import files_of
from device.kit import Missing, Row
from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import sha256
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.replay import read_golden
from dltk.export.emit import PAIRS, Target, requested_targets
from dltk.export.micro import operators
from dltk.validate import Gate, micro_runtime
from dltk.workflows.exporting.micro import micro

__all__ = ["compiled", "rows"]

_COMPILERS = {"cc": ("-std=c11", "c"), "c++": ("-std=c++11", "c++")}  # compiler -> standard, language
_PRINTS = """#include <stdio.h>
#include "{name}.h"
int main(void) {{
  for (unsigned long i = 0; i < {big}_BYTES; ++i) putchar({name}[i]);
  return 0;
}}
"""


def rows(work: Path) -> list[Row]:
    """A row a TFLite file; what is refused has to be refused with a reason."""
    try:
        micro_runtime()
    except EnvironmentFault as fault:
        raise Missing(str(fault)) from fault
    return [_row(bundle, artifact, path) for bundle in bundles(work) for artifact, path in files_of(bundle, "tflite")]


def _row(bundle: Path, artifact: Artifact, path: Path) -> Row:
    what = f"{bundle.name}/{artifact.file}"
    if artifact.precision not in PAIRS["c"]:
        return _refused(what, artifact.precision)
    sealed, data = read_bundle(bundle), path.read_bytes()
    samples = read_golden(sealed.files["golden.npz"], sealed.signature)
    target = Target("tflite", artifact.precision)
    try:
        operators(data, artifact.file)
    except InputError as refused:
        return Row("microcontroller", what, "runs, or is refused at export by the operator's name", str(refused), True)
    try:
        told, sources = micro(data, target, sealed.signature, samples, bundle.name, Gate())
    except InputError as fault:
        return Row("microcontroller", what, "runs", str(fault), False)
    promise = "within 4 steps" if told["measure"] == "steps" else "within 1e-05 x max(1, largest)"
    apart = f"differs by {told['error']} steps" if told["measure"] == "steps" else f"differs by {told['error']:.2g}"
    built, right = compiled(sources, sha256(data))
    measured = f"{apart}, {told['arena_bytes']:,} bytes of arena; sources {built}"
    return Row("microcontroller", what, promise, measured, bool(told["passed"]) and right)


def _refused(what: str, precision: str) -> Row:
    try:
        requested_targets(("c",), (precision,), None, "run")
    except DltkError as refused:
        return Row("microcontroller", what, "refused at export, with the reason", refused.rule, True)
    return Row("microcontroller", what, "refused at export, with the reason", "accepted", False)


def compiled(sources: dict[str, bytes], digest: str) -> tuple[str, bool]:
    """Compile the sources with every compiler there is; in words, and whether each gave the file's bytes back."""
    by = [name for name in _COMPILERS if shutil.which(name)]
    wrong = [name for name in by if sha256(_given_back(name, sources)) != digest]
    if wrong:
        return f"of other bytes by {', '.join(wrong)}", False
    return (f"compiled by {', '.join(by)}" if by else "not compiled: no compiler here"), True


def _given_back(compiler: str, sources: dict[str, bytes]) -> bytes:
    """What a program that prints the array prints."""
    standard, language = _COMPILERS[compiler]
    (name,) = {Path(file).stem for file in sources}
    with tempfile.TemporaryDirectory(prefix="dltk-c-") as folder:
        for file, data in {**sources, "main.c": _PRINTS.format(name=name, big=name.upper()).encode()}.items():
            (Path(folder) / file).write_bytes(data)
        options: list[Any] = [standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-x", language]
        subprocess.run([compiler, *options, f"{name}.c", "main.c", "-o", "prints"], cwd=folder, check=True)
        return subprocess.run([Path(folder) / "prints"], capture_output=True, check=True).stdout
