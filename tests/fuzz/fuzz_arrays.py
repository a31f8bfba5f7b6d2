"""Arrays that a run keeps: quantization plans, checkpoints with their history, samples to evaluate on."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dltk.edge.bundle.arrays import npz_bytes, parse_npz, read_npz
from dltk.quantization.plan import Affine8, QuantizationPlan
from dltk.training import checkpoint
from fuzz_values import Target, changed, changed_json, on_disk

__all__ = ["targets"]


@cache
def _plan() -> bytes:
    kernel = np.ones(3, np.float32)
    grids = {"a/Relu": Affine8(0.1, 3), "b": Affine8(0.5, 128)}
    plan = QuantizationPlan("int8", "shared", grids, {"conv": kernel}, {"softmax": "stays float"}, {"samples": 3},
                            {"conv": kernel}, {"conv": kernel}, {"image": np.zeros((2, 3))}, grids)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        plan.save(Path(folder) / "quantization.npz")
        return (Path(folder) / "quantization.npz").read_bytes()


def _plan_of(meta: Any) -> object:
    arrays = parse_npz(_plan(), "plan")
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(errors="surrogatepass"), np.uint8)
    return on_disk(QuantizationPlan.load, "quantization.npz")(npz_bytes(arrays))


@cache
def _checkpoint() -> bytes:
    history = [{"phase": "fit", "epoch": 0, "loss": 2.5, "seconds": 0.1}, {"phase": "fit", "epoch": 1, "loss": 1.0}]
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        path = Path(folder) / "fit.npz"
        checkpoint.write(path, checkpoint.Checkpoint(history, {"model/0000": np.ones((2, 2))}))
        return path.read_bytes()


def _history(content: Any) -> object:
    """Of a checkpoint, which is told of and gone on with."""
    from dltk.training.log import epoch_line, trained_epochs

    text = np.frombuffer(json.dumps(content).encode(errors="surrogatepass"), np.uint8)
    data = npz_bytes({"history.json": text, "state/model/0000": np.ones(2)})
    found = on_disk(checkpoint.read, "fit.npz")(data)
    return trained_epochs(found.history), epoch_line(found.history, 9) if found.history else ""


def targets() -> dict[str, Target]:
    """Name -> what is made, and who reads it."""
    history = [{"phase": "fit", "epoch": 1, "loss": 1.0, "validation_loss": 1.5, "seconds": 0.5}]
    evaluation = npz_bytes({"raws": np.zeros((3, 2)), "targets": np.zeros(3)})
    return {
        "plans": Target(changed(_plan()), on_disk(QuantizationPlan.load, "quantization.npz")),
        "values of plans": Target(changed_json(json.loads(parse_npz(_plan(), "plan")["meta"].tobytes())), _plan_of),
        "checkpoints": Target(changed(_checkpoint()), on_disk(checkpoint.read, "fit.npz")),
        "histories": Target(changed_json(history), _history),
        "evaluations": Target(
            changed(evaluation), on_disk(lambda path: read_npz(path, {"raws", "targets"}), "evaluation.npz")
        ),
    }
