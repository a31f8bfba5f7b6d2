"""What artifacts answer to their bundles' golden tensors, in any Python that has dltk.edge and a runtime.

    python answers.py OUT BUNDLE/FILE...

A JSON line before and after each FILE, so that one that kills the process is known; outputs go to OUT/BUNDLE/FILE.npz.
FILE golden.npz stands for `dltk validate` of the whole bundle.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dltk.base.errors import DltkError, LimitError
from dltk.edge.bundle.arrays import save_npz
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.load import open_artifact
from dltk.edge.replay import GOLDEN, read_golden, replay


def main(out: Path, places: list[Path]) -> None:
    """Answer for each of `places`, in order."""
    for place in places:
        named = f"{place.parent.name}/{place.name}"
        print(json.dumps({"file": named}), flush=True)
        try:
            found = _validated(place.parent) if place.name == GOLDEN else _answer(place, out / f"{named}.npz")
        except DltkError as fault:
            found = {"state": "refused", "reason": str(fault)}
        print(json.dumps({"file": named, **found}), flush=True)


def _answer(place: Path, target: Path) -> dict[str, Any]:
    """Outputs as the caller of dltk sees them; the step of those that the file stores as integers."""
    sealed, name = read_bundle(place.parent), place.name
    artifact = next(each for each in sealed.manifest.artifacts if each.file == name)
    samples = read_golden(sealed.files[GOLDEN], sealed.signature)
    session = open_artifact(artifact, sealed.files[name], sealed.signature)
    save_npz(target, session.run(samples.tensors))
    return {"state": "ran", "steps": {port.name: port.scale for port in session.outputs if port.scale is not None}}


def _validated(bundle: Path) -> dict[str, Any]:
    """What `dltk validate` finds here."""
    try:
        return {"state": "ran", "report": replay(bundle)}
    except LimitError as fault:
        return {"state": "ran", "report": fault.measured}


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
