"""The bundles that every target is held to: small, real, of several families and all precisions.

    python tests/benchmarks/device/bundles.py build/devices/bundles

Each goes the whole way by dltk's own commands at their smallest size. What they answer is of no use; the operators and
types in their files are what the targets are about. All in one process, which loads TensorFlow once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))

from support.shell import ROOT, Failure, heading, reach_tests

__all__ = ["bundles"]


@dataclass(frozen=True)
class _Way:
    """How one bundle is made.

    Attributes:
        recipe: its name, or its file.
        row: of `recipe_rows.ROWS`: where data, settings and the loose gate of hardly trained models come from.
        precisions: of the files, tflite and, where there is one, onnx.
        set: further `--set` pairs.
        plan: precision that compress gives the model.
    """

    recipe: str
    row: str
    precisions: tuple[str, ...]
    set: tuple[str, ...] = ()
    plan: str = "int8"


_INT8 = ("float32", "int8", "int8-io")
_ALL = (*_INT8, "float16", "dynamic")
_WAYS = {
    "squeeze": _Way(str(Path(__file__).with_name("squeeze.py")), "cnn", _ALL),
    # 12 test images: what few samples give on this machine must come again on any.
    "few": _Way("cnn", "cnn", _INT8, ("data.limit=42", "data.test=0.2")),
    "wide": _Way("cnn", "cnn", ("float32", "float16", "dynamic", "int16x8"), plan="int16x8"),
    # A fused sequence operator with state, and a WHILE with subgraphs.
    "lstm": _Way("forecast", "forecast", ("float32", "float16", "dynamic"), ("model.units=32",), plan="float16"),
    "gru": _Way("forecast", "forecast", ("float32", "float16", "dynamic"), ("model.cell=gru",), plan="float16"),
    "text": _Way("text-classification", "text-classification", _ALL),  # an embedding, one-dimensional convolutions
    "sound": _Way("audio-keyword", "audio-keyword", _INT8),
    "tabular": _Way("tabular", "tabular", _INT8),  # two inputs of different types
    "denoise": _Way("autoencoder", "autoencoder denoise", _INT8),  # transposed convolutions
}


def bundles(work: Path) -> list[Path]:
    """Folders of the bundles, the smallest first; what has to be made is made once, and shared by the targets.

    Args:
        work: a target's folder; the bundles lie beside it, in `bundles`. Remove that folder to have them made anew.
    """
    folder = work.resolve().parent / "bundles"
    if not all((folder / name).is_dir() for name in _WAYS):
        done = subprocess.run([sys.executable, __file__, folder], cwd=ROOT, check=False)
        if done.returncode:
            raise Failure("the bundles that the targets are held to could not be made")
    return [ROOT / "exported" / "digits", *(folder / name for name in _WAYS)]


def _make(name: str, way: _Way, folder: Path) -> None:
    """Data, run, compressed run and bundle of one way; the bundle appears last, and whole."""
    reach_tests()
    from recipe_rows import ROWS

    row, scratch = ROWS[way.row], folder / "scratch" / name
    rmtree(scratch, ignore_errors=True)
    data, run, less = (scratch / part for part in ("data", "run", "less"))
    data.mkdir(parents=True)
    given = () if row.data is None else ("--data", row.data(data))
    pairs = [word for pair in (*row.set, *way.set) for word in ("--set", pair)]
    gate = [word for pair in row.gate for word in ("--gate", pair)]
    wanted = [word for precision in way.precisions for word in ("--precision", precision)]
    _dltk("finetune", way.recipe, *given, "--run", run, "--smoke", *pairs)
    _dltk("compress", run, "--no-control", "--run", less, "--step", f"quantize:precision={way.plan}")
    _dltk("export", less, "--out", folder / name, *wanted, *gate)
    rmtree(scratch)


def _dltk(*words: str | Path) -> None:
    from dltk.cli.main import cli

    code = cli.main([str(word) for word in words], prog_name="dltk", standalone_mode=False)
    if code:
        raise Failure(f"dltk {' '.join(map(str, words))} ended with exit code {code}")


def _main(words: Sequence[str]) -> None:
    folder = Path(words[0]).resolve()
    for name, way in _WAYS.items():
        if not (folder / name).is_dir():
            heading(f"bundle {name}")
            _make(name, way, folder)


if __name__ == "__main__":
    _main(sys.argv[1:])
