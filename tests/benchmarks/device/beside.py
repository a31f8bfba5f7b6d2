"""A row for every artifact on an emulated processor, beside what this machine answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from device.emulated import Emulated
from device.held import Answer, Command, answers, files_of, here, hold
from device.kit import Row, folded
from device.report import parity_row, refused_row, tensors_row
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.replay import GOLDEN

__all__ = ["rows_beside"]


def rows_beside(
    target: str,
    made: Sequence[Path],
    there: Emulated,
    processors: Sequence[str],
    work: Path,
    *,
    formats: tuple[str, ...],
    most_steps: int,
    ours: Command = here,
    runtime: str = "",
) -> list[Row]:
    """A row an artifact of `made`, and a row a bundle for its input tensors.

    Args:
        work: folder for the outputs.
        ours: runs the script on this machine, with the same version of the runtime.
        runtime: that runs there, where a file may ask for a newer one.
    """
    artifacts = {place: each for bundle in made for each, place in files_of(bundle, *formats)}
    places = [*artifacts, *(bundle / GOLDEN for bundle in made)]
    wanted, found = answers(ours, list(artifacts), work / "here"), list[tuple[str, Row]]()
    for processor in processors:
        given = answers(partial(there.command, processor), places, work / processor)
        for place, artifact in artifacts.items():
            steps = wanted.get(place.with_name("model.int8-io.tflite"), Answer()).steps
            hold_ = partial(hold, artifact.precision, given[place], wanted[place], most_steps=most_steps, steps=steps)
            found.append((processor, _row(target, place, artifact, given, hold_, runtime)))
        for bundle in made:
            report = given[bundle / GOLDEN].report
            lost = Row(target, bundle.name, "validates", given[bundle / GOLDEN].reason, False)
            found.append((processor, lost if report is None else tensors_row(target, bundle, report)))
    return folded(found)


def _row(target: str, place: Path, artifact: Artifact, given: Any, held: Any, runtime: str) -> Row:
    bundle, report = place.parent, given[place.parent / GOLDEN].report or {"artifacts": []}
    validated = next((each for each in report["artifacts"] if each["file"] == place.name), None)
    if given[place].refused and runtime:
        return refused_row(target, bundle, artifact, {"reasons": [given[place].reason]}, runtime)
    if validated is not None and validated["parity"] is not None and validated["status"] == "failed":
        return parity_row(target, bundle, artifact, validated)
    found = held()
    return Row(target, f"{bundle.name}/{place.name}", found.promise, found.measured, found.met)
