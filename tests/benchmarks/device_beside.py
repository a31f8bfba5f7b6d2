"""A row for every artifact on an emulated processor, beside what this machine answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from device_emulated import Emulated
from device_held import Answer, answers, files_of, here, hold
from device_kit import Row, folded

from dltk.edge.manifest import Artifact
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
    runtime: str = "",
) -> list[Row]:
    """A row an artifact of `made`, and a row a bundle for its input tensors.

    Args:
        work: folder for the outputs.
        runtime: "tflite-runtime 2.14.0": a file that it refuses is right to, if its manifest names another.
    """
    artifacts = {place: each for bundle in made for each, place in files_of(bundle, *formats)}
    places = [*artifacts, *(bundle / GOLDEN for bundle in made)]
    ours, found = answers(here, list(artifacts), work / "here"), list[tuple[str, Row]]()
    for processor in processors:
        theirs = answers(partial(there.command, processor), places, work / processor)
        for place, artifact in artifacts.items():
            what = f"{place.parent.name}/{place.name}"
            steps = ours.get(place.with_name("model.int8-io.tflite"), Answer()).steps
            if theirs[place].refused and runtime:
                found.append((processor, _refused(target, what, artifact, theirs[place].reason, runtime)))
                continue
            held = hold(artifact.precision, theirs[place], ours[place], most_steps=most_steps, steps=steps)
            found.append((processor, Row(target, what, held.promise, held.measured, held.met)))
        found += [(processor, _tensors(target, bundle, theirs[bundle / GOLDEN])) for bundle in made]
    return folded(found)


def _refused(target: str, what: str, artifact: Artifact, reason: str, runtime: str) -> Row:
    claimed = artifact.minimum_runtime
    promise = f"refused only where the manifest asks for more than {runtime}"
    return Row(target, what, promise, f"refused, asks for {claimed}: {reason}", claimed != runtime)


def _tensors(target: str, bundle: Path, found: Answer) -> Row:
    what, promise = f"{bundle.name}: input tensors", "equal to the bit, as `dltk validate` asks"
    if found.apart is None:
        return Row(target, what, promise, f"not run: {found.reason}", False)
    return Row(target, what, promise, f"{found.apart:.2g} apart" if found.apart else "equal", not found.apart)
