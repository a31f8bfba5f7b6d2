"""Publish a bundle in children that kill themselves at a chosen moment: `python killed_publish.py FOLDER SEED COUNT`.

A moment is the number of a call, of Python or C, from where `publish` begins to write; the children are forks, so that
hundreds are cheap.
Prints one JSON line a child: what stands at the target, and whether it is whole.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import tiny
from dltk import bundle
from dltk.base.files import building_folder
from dltk.bundle import Sealing, publish
from dltk.edge.bundle.arrays import npz_bytes
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.families import family
from dltk.edge.replay import GOLDEN


def sealing(name: str, model: bytes) -> Sealing:
    """A sound bundle that differs from others in its name."""
    raws = tiny.raws(4)
    golden = {"raw": raws, "output:logits": tiny.reference(raws)["logits"]}
    golden["tensor:image"] = family("classification").tensors(raws, tiny.SIGNATURE)["image"]
    labels = "".join(f"{label}\n" for label in tiny.LABELS).encode()
    files = {"model.float32.tflite": model, GOLDEN: npz_bytes(golden), "labels.txt": labels}
    return Sealing(name, tiny.SIGNATURE, [tiny.artifact("model.float32.tflite", model)], files, {}, {})


def published(found: Sealing, target: Path, moment: int) -> int:
    """How many calls it took; the process is dead at call `moment`, if that comes."""
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def counting(*given: Any, **named: Any) -> Any:
        sys.setprofile(count)
        return building_folder(*given, **named)

    bundle.building_folder = counting  # type: ignore[assignment]
    publish(found, target)
    sys.setprofile(None)
    bundle.building_folder = building_folder
    return calls


def main(folder: Path, seed: int, count: int) -> None:
    """The bundle that stands is replaced, again and again, by one that dies on the way."""
    target, model = folder / "bundle", tiny.tflite()
    publish(sealing("old", model), target)
    calls = published(sealing("old", model), target, moment=-1)
    for moment in sorted(random.Random(seed).sample(range(1, calls + 1), min(count, calls))):
        child = os.fork()
        if child == 0:
            published(sealing("new", model), target, moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        left = [path.name for path in folder.iterdir() if path.name != target.name]
        found = read_bundle(target)  # raises unless every file is what its manifest says
        print(json.dumps({"killed": os.WIFSIGNALED(status), "stands": found.manifest.name, "left": len(left)}))
        publish(sealing("old", model), target)
        if [path.name for path in folder.iterdir()] != [target.name]:
            raise SystemExit("the next start must sweep away what the killed one left")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
