"""The way from data to a bundle, gone once through the commands at the smallest size: what many tests look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dltk.base.progress import SILENT
from dltk.cli.main import cli
from dltk.compress.candidate import Workbench
from importing import environment as environment

# Third parties': NumPy 2 deprecates how TensorFlow and Keras hand arrays over; tfmot and tf2onnx use what has gone.
QUIET = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorflow_model_optimization.*"),
]
# As small as two kernels of over 1000 weights allow, which is where pruning begins.
TRAINING = ("--smoke", "--set", "data.size=8", "--set", "calibration.samples=50")


@dataclass(frozen=True)
class Made:
    """A folder that a command made, and what it printed as JSON."""

    path: Path
    found: dict[str, Any]


def invoke(*words: object) -> Result:
    """`dltk WORDS` in this process."""
    return CliRunner().invoke(cli, [str(word) for word in words])


def make(path: Path, *words: object) -> Made:
    """`dltk WORDS --json`, which must end well and make `path`."""
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    assert path.is_dir()
    return Made(path, json.loads(done.stdout))


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path within."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def bench(run: Path, checkpoint: Path, **changes: Any) -> Workbench:
    """What `dltk compress` gives its steps to work with."""
    from dltk import tasks
    from dltk.export.emit import left_float
    from dltk.models.files.keras_file import open_keras
    from dltk.run import Run

    opened = Run.open(run)
    settings, task = opened.settings(), tasks.task(opened.task)
    dataset = task.prepare(settings, opened.data_source, progress=SILENT)

    def calibration(count: int) -> Any:
        return task.calibration(dataset, count=count or settings.calibration.samples, seed=settings.seed)

    found: dict[str, Any] = {
        "source": open_keras(opened.model_path), "dataset": dataset, "signature": opened.signature,
        "seed": settings.seed, "calibration": calibration, "checkpoint": checkpoint, "open_model": open_keras,
        "left_float": left_float, "students": None,
    }  # fmt: skip
    return Workbench(**found | changes)


def check_worth(outcome: Any, bench: Workbench) -> None:
    """What a step that trained says of its worth is so: of the model before and after, on the validation split."""
    from dltk.training.evaluation.report import predict_outputs

    split, found = bench.dataset.validation, outcome.figures["validation"]
    before = predict_outputs(bench.source, split, bench.signature).argmax(-1) == split.targets
    assert (found["metric"], found["count"]) == ("accuracy", len(split))
    assert abs(found["before"] - before.mean()) < 1e-9
    assert any("worse than before" in each for each in outcome.warnings) == (found["after"] < found["before"])
