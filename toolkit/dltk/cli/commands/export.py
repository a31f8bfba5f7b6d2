"""`dltk export`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltk.base.errors import LimitError, UsageError
from dltk.cli import options
from dltk.cli.usage import Keys, Suggesting

if TYPE_CHECKING:
    from dltk.report.schema import ArtifactRow

__all__ = ["export"]


def _keys(words: Sequence[str]) -> Keys:
    """The limits of the gate."""
    from dltk.recipe.settings import describe
    from dltk.validate import Gate

    return [("--gate ", leaf) for leaf in describe(Gate())]


@click.command(cls=Suggesting, keys=_keys)
@click.argument("run", type=options.PATH)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["tflite", "onnx", "c"]),
    help="tflite, onnx or c (C sources of the TFLite files, for microcontrollers).  [default: tflite and onnx]",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    metavar="P",
    help="float32, float16, dynamic, int8, int8-io or int16x8.  [default: float32, and those that the run's "
    "plan allows]",
)
@click.option("--out", type=options.PATH, metavar="DIR", help="Folder of the bundle.  [default: exported/NAME]")
@click.option(
    "--stateless",
    is_flag=True,
    help="Write LSTMs to TFLite files in a form that keeps no state between samples.",
)
@click.option("--archive", is_flag=True, help="Write one file, exported/NAME.zip, instead of a folder.")
@click.option("--sign", type=options.PATH, metavar="KEY", help="Sign the bundle with this Ed25519 private key (PEM).")
@click.option(
    "--golden",
    default="8",
    metavar="N|synthetic",
    help="Number of golden samples from the test split, or `synthetic` for generated ones.",
)
@click.option(
    "--gate",
    "limits",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a limit of the gate: drop, cosine, top1_agreement, float32, float16, micro_steps. It is recorded in "
    "the bundle.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Also refuse files for which there are too few test samples to decide: the samples must show that "
    "each limit is met.",
)
@options.trust_recipe
@options.as_json
def export(
    run: Path,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    out: Path | None,
    golden: str,
    limits: tuple[str, ...],
    stateless: bool,
    archive: bool,
    sign: Path | None,
    strict: bool,
    trust_recipe: bool,
    as_json: bool,
) -> None:
    """Write the model in RUN as a bundle for a device.

    Every file is run without TensorFlow and compared with the Keras model: names, shapes, outputs, accuracy. If one
    does not pass, nothing is written (exit code 4). An existing bundle in the folder is replaced as a whole.

    A file fails if the test samples show at 95% confidence that a limit is missed. If they are too few to decide, it
    passes with a note on how many would decide; with --strict it fails.

    --archive writes one file that `validate`, `predict`, `bench` and `report` read without unpacking. --sign needs the
    extra `sign`, and a key made by `openssl genpkey -algorithm ed25519 -out private.pem`. --format c needs the extra
    `micro`: it also checks the TFLite files in TensorFlow Lite Micro, and reports how much memory they need there.

    \b
    Example:
        dltk export runs/digits-compressed --out exported/digits
        dltk export runs/digits-compressed --archive --out digits.zip --sign private.pem
        dltk export runs/digits-compressed --format c --precision int8-io
    """
    count = _count(golden)
    if archive and out is not None and out.suffix != ".zip":
        raise UsageError("--out", "must end in .zip with --archive", str(out))
    _check_precisions(precisions)
    from dltk.recipe.settings import assign
    from dltk.validate import Gate

    gate = assign(Gate(), limits, flag="--gate")
    gate = replace(gate, strict=gate.strict or strict)
    from dltk import workflows  # loads TensorFlow: only once a command runs
    from dltk.bundle import BundleOptions
    from dltk.cli.boundary import Unmet
    from dltk.cli.console import progress

    try:
        made = workflows.export(
            run,
            formats=formats,
            precisions=precisions,
            out=out,
            gate=gate,
            options=BundleOptions(count or 8, count is None, stateless, archive, sign),
            trust_recipe=trust_recipe,
            progress=progress(),
        )
    except LimitError as fault:
        raise Unmet(fault, _rows(fault), _failed(_rows(fault))) from fault
    found = made.as_dict()
    options.show(found, _text(found), as_json)


def _count(text: str) -> int | None:
    if text == "synthetic":
        return None
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= 1000:
        raise UsageError("--golden", "must be a number from 1 to 1000, or synthetic", text)
    return int(text)


def _check_precisions(precisions: tuple[str, ...]) -> None:
    from dltk.base.errors import did_you_mean
    from dltk.edge.bundle.manifest import PRECISIONS

    for name in precisions:
        if name not in PRECISIONS:
            rule = f"must be one of {', '.join(PRECISIONS)}"
            raise UsageError("--precision", rule, name, did_you_mean(name, PRECISIONS))


def _rows(fault: LimitError) -> dict[str, Any]:
    return fault.measured if isinstance(fault.measured, dict) else {"artifacts": []}


def _failed(found: dict[str, Any]) -> str:
    from dltk.workflows.measure import table

    rows = _files(found)
    reasons = [f"{row.file}: {reason}" for row in rows for reason in row.reasons]
    return "\n".join([table(rows), "", *reasons, ""])


def _files(found: dict[str, Any]) -> list[ArtifactRow]:
    from dltk.report.schema import ArtifactRow

    return [ArtifactRow.from_dict(row) for row in found["artifacts"]]


def _text(found: dict[str, Any]) -> str:
    from dltk.workflows.measure import table

    rows = _files(found)
    lines = [f"{found['bundle']}: every file passed", "", table(rows)]
    notes = [f"  {row.file}: {note}" for row in rows for note in row.notes]
    lines += ["", "Passed, but there are too few test samples to decide:", *notes] if notes else []
    agreement = [f"Top-1 agreement of {pair}: {value:.4f}" for pair, value in found["agreement"].items()]
    lines += ["", *agreement] if agreement else []
    micro = [_micro(row.parity["micro"]) for row in rows if "micro" in row.parity]
    lines += ["", *micro] if micro else []
    bundle = shlex.quote(found["bundle"])
    return "\n".join([*lines, "", "Next:", f"  dltk validate {bundle}", f"  dltk predict {bundle} INPUT"])


def _micro(found: Mapping[str, Any]) -> str:
    files, arena = ", ".join(found["files"]), f"{found['arena_bytes']:,}"
    error = (
        f"{found['error']:.2g}" if found["measure"] == "max_abs" else f"{found['error']} of {found['tolerance']} steps"
    )
    return f"{files}: at most {error} from LiteRT in TensorFlow Lite Micro, {arena} bytes of memory for tensors"
