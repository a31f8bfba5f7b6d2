"""What artifacts answer to their bundles' golden tensors, in any Python that has dltk.edge and a runtime.

    python device_answers.py OUT BUNDLE/FILE...

A JSON line before and after each FILE, so that one that kills the process is known; outputs go to OUT/BUNDLE/FILE.npz.
FILE golden.npz asks whether the stored input tensors come out of the raw samples here, too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dltk.base.errors import DltkError
from dltk.edge.arrays import save_npz
from dltk.edge.families import family
from dltk.edge.integrity import Sealed, read_bundle
from dltk.edge.load import open_artifact
from dltk.edge.replay import GOLDEN, golden


def main(out: Path, places: list[Path]) -> None:
    """Answer for each of `places`, in order."""
    for place in places:
        named = f"{place.parent.name}/{place.name}"
        print(json.dumps({"file": named}), flush=True)
        try:
            sealed = read_bundle(place.parent)
            found = _tensors(sealed) if place.name == GOLDEN else _answer(sealed, place.name, out / f"{named}.npz")
        except DltkError as fault:
            found = {"state": "refused", "reason": str(fault)}
        print(json.dumps({"file": named, **found}), flush=True)


def _answer(sealed: Sealed, name: str, target: Path) -> dict[str, Any]:
    """Outputs as the caller of dltk sees them; the step of those that the file stores as integers."""
    artifact = next(each for each in sealed.manifest.artifacts if each.file == name)
    samples = golden(sealed.files[GOLDEN], sealed.signature)
    session = open_artifact(artifact, sealed.files[name], sealed.signature)
    save_npz(target, session.run(samples.tensors))
    return {"state": "ran", "steps": {port.name: port.scale for port in session.outputs if port.scale is not None}}


def _tensors(sealed: Sealed) -> dict[str, Any]:
    """The largest difference between input tensors made here and stored ones, x max(1, largest stored)."""
    samples = golden(sealed.files[GOLDEN], sealed.signature)
    made = family(sealed.signature.family).tensors(samples.raws, sealed.signature)
    apart = 0.0
    for name, stored in samples.tensors.items():
        difference = np.abs(made[name].astype(np.float64) - stored.astype(np.float64)).max()
        apart = max(apart, float(difference / max(1.0, np.abs(stored).max())))
    return {"state": "ran", "apart": apart}


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
