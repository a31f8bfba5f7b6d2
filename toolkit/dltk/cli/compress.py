"""`dltk compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dltk.cli import options

__all__ = ["compress"]


@click.command()
@click.argument("run", type=options.PATH)
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="A step to take, in order: prune, quantize. The recipe's own plan when left out.",
)
@click.option("--run", "out", type=options.PATH, metavar="DIR", help="Folder of the run that is made.")
@options.resume
@options.as_json
def compress(run: Path, steps: tuple[str, ...], out: Path | None, resume: bool, as_json: bool) -> None:
    """Make the model in RUN smaller and faster.

    RUN is not touched; what comes out is a run again, RUN-compressed unless --run says otherwise. Sizes, latencies
    and figures are measured on the emitted files, in their runtime.

    \b
    Steps and their main settings:
        prune:sparsity=0.5,epochs=4        zeros: a smaller download, nothing faster
        quantize:precision=int8            smaller and faster; ranges from calibration
        quantize:precision=float16         half the size
        quantize:precision=dynamic         int8 weights only

    \b
    Example:
        dltk compress runs/digits --step prune:sparsity=0.5,epochs=2 --step quantize:precision=int8
    """
    from dltk import workflows  # loads TensorFlow: only once a command runs
    from dltk.cli.console import progress

    made = workflows.compress(run, steps=steps, out=out, resume=resume, progress=progress())
    found = {"run": str(made.run.path), **made.report, "next": [f"dltk export {made.run.path}"]}
    options.show(found, _text(found), as_json)


def _text(found: dict[str, Any]) -> str:
    from dltk.workflows.measure import table

    lines = [f"{found['run']}: done", ""]
    for step in found["steps"]:
        lines.append(f"{step['name']}: {len(step['changed'])} layers changed, {len(step['skipped'])} left as they are")
        reasons: dict[str, int] = {}
        for item in step["skipped"]:
            reasons[item["reason"]] = reasons.get(item["reason"], 0) + 1
        lines += [f"    {count} x {reason}" for reason, count in sorted(reasons.items())]
    lines += ["", "Measured on the files, one thread, on this machine:", table(found["artifacts"]), ""]
    return "\n".join([*lines, "Next:", *(f"  {command}" for command in found["next"])])
