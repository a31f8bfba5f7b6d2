"""The table "model x step" in docs/reference is what the steps do: `python tests/compress/test_coverage.py --write`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "support"))
    import importing

    importing.reach()

import matrix
import small

pytestmark = [
    *small.QUIET,
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),  # of Keras' own applications
]
RECORDED = Path(__file__).parents[2] / "docs" / "reference" / "coverage.json"


def recorded():
    return json.loads(RECORDED.read_text())


def test_every_model_and_step_is_recorded():
    found = recorded()
    assert list(found) == list(matrix.MODELS)
    for name, row in found.items():
        assert row["title"] == matrix.MODELS[name].title
        assert list(row["steps"]) == list(matrix.COLUMNS)


def marks(row):
    """DenseNet121 takes 4 minutes on one core, NASNet Mobile longer: graphs of 400 to 800 layers, traced many times."""
    return () if row.quick else (pytest.mark.slow, *([pytest.mark.timeout(1800)] if row.deep else []))


def outcomes_apart(name):
    """In a process of its own: TensorFlow keeps what it traced, 15 GB after a few backbones, and gets slow with it."""
    command = [sys.executable, __file__, "--outcomes", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=small.environment())
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(row)) for name, row in matrix.MODELS.items()])
def test_outcomes_are_as_recorded(name, tmp_path):
    """Twins to 1e-6; int8 files in their runtimes, without TensorFlow, as near as `matrix` says to their simulation."""
    row = matrix.MODELS[name]
    found = matrix.outcomes(name, tmp_path) if row.quick else outcomes_apart(name)
    assert found == recorded()[name]["steps"]


def write(names):
    """Record the outcomes of `names`, of all models without any; others stay as they are."""
    from dltk.base.files import write_atomic

    found = recorded() if RECORDED.is_file() else {}
    for name in names or matrix.MODELS:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = {"title": matrix.MODELS[name].title, "steps": matrix.outcomes(name, Path(folder))}
        print(name, flush=True)
        ordered = {key: found[key] for key in matrix.MODELS if key in found}
        write_atomic(RECORDED, (json.dumps(ordered, indent=1) + "\n").encode())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--outcomes"]:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(matrix.outcomes(sys.argv[2], Path(folder))))
    elif sys.argv[1:2] == ["--write"]:
        write(sys.argv[2:])
    else:
        raise SystemExit("usage: python tests/compress/test_coverage.py --write [MODEL]... | --outcomes MODEL")
