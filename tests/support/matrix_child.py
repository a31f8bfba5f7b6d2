"""The process in which `matrix` runs a model file: `python matrix_child.py FORMAT FOLDER`, without TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

from dltk.edge.runtime.worker import BLOCKED

if __name__ == "__main__":
    for name in BLOCKED:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    import numpy as np

    from dltk.edge.runtime.sessions import open_session

    form, folder = sys.argv[1], Path(sys.argv[2])
    with np.load(folder / "tensors.npz") as arrays:
        tensors = {name: arrays[name] for name in arrays.files}
    session = open_session(form, (folder / "model").read_bytes(), threads=1)
    np.savez(folder / "outputs.npz", **session.run(tensors))
