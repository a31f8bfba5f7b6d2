"""The command line of run.pyz, which every bundle carries: its model runs with it where dltk is not installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import DltkError, InputError, LimitError, UsageError
from dltk.base.sizes import parse_bytes
from dltk.base.terminal import escape_control_characters, json_text
from dltk.edge.bundle.arrays import save_npz
from dltk.edge.bundle.integrity import BUDGET, read_bundle
from dltk.edge.load import Model, choose, model_from_bytes
from dltk.edge.predict import predict_inputs
from dltk.edge.replay import as_text, replay
from dltk.edge.sources.arrays import read_array

__all__ = ["main"]

_ABOUT = """Run the model of the bundle that contains this file. Every file is checked against its hash first.

INPUT is the same as for `dltk predict`: the path of an image, recording, CSV or text file, a text, a number, JSON.
With --tensor the model gets the input tensors unchanged, and its output tensors are printed."""


def main(folder: Path | str, words: Sequence[str] | None = None) -> int:
    """Run the command line `words` (default: that of the process) with the bundle in `folder`; returns the exit
    code.
    """
    folder, options = Path(folder), _parser().parse_args(words)
    try:
        if options.check:
            _check(folder, options)
        else:
            _predict(folder, options)
    except DltkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.pyz", description=_ABOUT, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("inputs", metavar="INPUT", nargs="*")
    add("--artifact", metavar="FILE", help="the model file of the bundle to run")
    add("--runtime", metavar="NAME", help="tflite or onnx; default: the first that is installed")
    add("--top", type=int, default=5, metavar="K", help="labels per sample; default: 5")
    add("--tensor", action="append", default=[], metavar="[NAME=]FILE.npy", help="an input tensor, batch first")
    add("--out", type=Path, metavar="FILE", help="write the output: images as .png, tensors as .npz")
    add("--check", action="store_true", help="replay the golden samples; exit code 4 if a prediction differs")
    add("--max-memory", metavar="SIZE", help="most bytes that the bundle's files may have together; default: 1GB")
    add("--json", action="store_true", help="print the result as JSON")
    return parser


def _check(folder: Path, options: argparse.Namespace) -> None:
    if options.inputs or options.tensor:
        raise UsageError("--check", "takes no INPUT: it replays the golden samples of the bundle")
    try:
        report = replay(folder, runtime=options.runtime, max_memory=_budget(options))
    except LimitError as error:
        measured: Any = error.measured
        _show(measured, as_text(measured), options)
        raise
    _show(report, as_text(report), options)


def _predict(folder: Path, options: argparse.Namespace) -> None:
    if bool(options.inputs) == bool(options.tensor):
        raise UsageError("INPUT", "give an INPUT to run the model on, or --tensor, or --check", len(options.inputs))
    sealed = read_bundle(folder, max_memory=_budget(options))
    chosen = choose(sealed.manifest, runtime=options.runtime, artifact=options.artifact)
    model = model_from_bytes(sealed.manifest, chosen, lambda name: sealed.files[name])
    told = {"bundle": str(folder), "artifact": model.artifact.file}
    if options.tensor:
        found, text = _run(model, options.tensor, options.out)
        _show({**told, "outputs": found}, text, options)
        return
    rows, text = predict_inputs(model, options.inputs, top=options.top, out=options.out)
    _show({**told, "answers": rows}, text, options)


def _budget(options: argparse.Namespace) -> int:
    return BUDGET if options.max_memory is None else parse_bytes(options.max_memory, "--max-memory")


def _run(model: Model, named: Sequence[str], out: Path | None) -> tuple[dict[str, Any], str]:
    """The outputs for tensors out of files, as JSON and as one line per sample."""
    inputs = [spec.name for spec in model.signature.inputs]
    files = dict(_pair(text, inputs) for text in named)
    if set(files) != set(inputs) or len(files) != len(named):
        received = ", ".join(named)
        raise InputError("--tensor", f"must give each input once: {', '.join(inputs)}", received)
    outputs = model.run({name: read_array(file) for name, file in files.items()})
    if out is not None:
        if out.suffix != ".npz":
            raise UsageError("--out", "must end in .npz", str(out))
        save_npz(out, outputs)
    found = {name: array.tolist() for name, array in outputs.items()}
    lines = ([name, *(json.dumps(sample) for sample in samples)] for name, samples in found.items())
    return found, "\n\n".join("\n".join(block) for block in lines)


def _pair(text: str, inputs: Sequence[str]) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    return (name, file) if equals else (inputs[0], text)


def _show(value: Any, text: str, options: argparse.Namespace) -> None:
    print(json_text(value) if options.json else escape_control_characters(text))
