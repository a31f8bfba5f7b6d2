"""The recipe `tabular` beside scikit-learn's histogram gradient boosting, on two tables that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT
from dltk.data.dataset import Dataset
from dltk.edge.runtime.machine import machine
from dltk.run import Run
from support.figures import Figure, spread
from support.shell import console_script, once, shown

__all__ = ["tabular_beside_gradient_boosting"]

_SEEDS = (0, 1, 2)
_POINTS = 2.0
_TABLES = {"breast-cancer": "accuracy", "diabetes": "r2"}  # name of the table -> figure of the run's metrics


def tabular_beside_gradient_boosting(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Points of accuracy, or of the share of variance explained, above gradient boosting on the same rows.

    Both have scikit-learn's or the recipe's defaults, and three seeds, each with a split of its own. Boosting also
    learns from the rows that the recipe keeps for its decisions.
    """
    found = []
    for name, figure in _TABLES.items():
        path, differences, ours, theirs, command = _csv(name, runs), [], [], [], []
        for seed in _SEEDS:
            pairs = [f"seed={seed}", *([f"data.limit={limit}"] if limit else [])]
            words = [word for pair in pairs for word in ("--set", pair)]
            folder = runs / f"tabular-{name}-{seed}"
            command = [console_script(), "finetune", "tabular", "--data", path, "--run", folder, *words]
            once(folder, command)
            ours.append(100 * float(Run.open(folder).read_json("metrics")[figure]))
            theirs.append(100 * _boosted(Run.open(folder), path))
            differences.append(ours[-1] - theirs[-1])
        mean, (_, words_of) = float(np.mean(differences)), spread(differences, "{:+.2f}")
        what = (
            f"{name}: points of {figure} above HistGradientBoosting, mean of {len(_SEEDS)} seeds "
            f"({np.mean(ours):.2f} and {np.mean(theirs):.2f})"
        )
        target = f"at least {-_POINTS:g}"
        found.append(
            Figure(
                "recipe-tabular", what, shown(command), f"{mean:+.2f}", words_of, target, mean >= -_POINTS, machine()
            )
        )
    return found


def _csv(name: str, runs: Path) -> Path:
    """scikit-learn's table as a CSV file, the target last: a label in words, or the disease's progress."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    path = runs / f"{name}.csv"
    found = load_breast_cancer() if name == "breast-cancer" else load_diabetes(scaled=False)
    targets = [found.target_names[row] for row in found.target] if name == "breast-cancer" else found.target
    rows = [
        ",".join([*map(repr, map(float, row)), str(target)]) for row, target in zip(found.data, targets, strict=True)
    ]
    head = ",".join([*(column.replace(" ", "_") for column in found.feature_names), "target"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def _boosted(run: Run, path: Path) -> float:
    """Accuracy or the share of variance explained on the run's own test rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from dltk import tasks

    settings = run.settings()
    dataset: Dataset = tasks.task("tabular").prepare(settings, str(path), progress=SILENT)
    kind = HistGradientBoostingClassifier if dataset.labels else HistGradientBoostingRegressor
    sides = (dataset.train, dataset.validation)
    features = np.concatenate([_features(side.take(slice(None))) for side in sides])
    targets = np.concatenate([side.targets.reshape(len(side)) for side in sides])
    model = kind(random_state=settings.seed).fit(features, targets)
    test = dataset.test
    return float(model.score(_features(test.take(slice(None))), test.targets.reshape(len(test))))


def _features(raws: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(raws["numbers"])
