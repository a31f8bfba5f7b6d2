"""The recipe `recommender` beside popularity and matrix factorization, on MovieLens small: ranked over all films."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT
from dltk.data.dataset import Dataset
from dltk.edge.families import family
from dltk.edge.metrics import paired_bootstrap
from dltk.edge.runtime.machine import machine
from dltk.run import Run
from support.figures import Figure, spread
from support.shell import console_script, once, shown

__all__ = ["recommender_beside_factorization"]

_SEEDS = (0, 1, 2)
_FACTORS, _ROUNDS = 32, 10
# Tried on the item before the last one of each user; the best of them is asked for the last.
_TRIED = tuple((alpha, penalty) for alpha in (2.0, 10.0, 40.0) for penalty in (10.0, 100.0))


def recommender_beside_factorization(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Hit rate and NDCG at 10 over those of popularity, with their interval, and those of factorization beside them."""
    found: dict[str, list[NDArray[Any]]] = {}
    command: list[Any] = []
    for seed in _SEEDS:
        pairs = [f"seed={seed}", *([f"data.limit={limit}"] if limit else [])]
        folder = runs / f"recommender-{seed}"
        command = [console_script(), "finetune", "recommender", "--data", "movielens-small", "--run", folder]
        command += [word for pair in pairs for word in ("--set", pair)]
        once(folder, command)
        for name, scores in _scores(Run.open(folder)).items():
            found.setdefault(name, []).append(scores)
    return [_figure(number, metric.name, found, command) for number, metric in enumerate(_metrics())]


def _metrics() -> Any:
    return family("recommendation").metrics


def _figure(number: int, name: str, found: dict[str, list[NDArray[Any]]], command: list[Any]) -> Figure:
    """Of the mean over the seeds: users are what the interval is drawn from."""
    ours, popular, factored = (
        np.mean([scores[number] for scores in found[way]], axis=0) for way in ("model", "popularity", "factorization")
    )
    mean, low, high = paired_bootstrap(ours, popular, seed=0)
    _, seeds = spread([float(scores[number].mean()) for scores in found["model"]], "{:.4f}")
    what = (
        f"{name} above popularity ({popular.mean():.4f}); the model has {ours.mean():.4f}, "
        f"matrix factorization (implicit ALS) {factored.mean():.4f}"
    )
    words = f"{low:+.4f} to {high:+.4f}, 95% paired bootstrap, {len(ours)} users; the model {seeds}"
    return Figure("recipe-recommender", what, shown(command), f"{mean:+.4f}", words, "above 0", low > 0, machine())


def _scores(run: Run) -> dict[str, NDArray[np.float64]]:
    """Way -> (metrics, users) on the test items, the same users in the same order."""
    from dltk import tasks
    from dltk.models.files.keras_file import open_keras
    from dltk.training import predict_outputs

    dataset = tasks.task("recommend").prepare(run.settings(), "movielens-small", progress=SILENT)
    items = int(dataset.report["items"])
    counts = np.bincount(dataset.train.targets, minlength=items)
    ways = {
        "model": predict_outputs(open_keras(run.model_path), dataset.test, run.signature),
        "popularity": np.broadcast_to(counts, (len(dataset.test), items)),
        "factorization": _best_factorization(dataset, items),
    }
    return {name: _judged(scores, dataset.test.targets, run.signature) for name, scores in ways.items()}


def _judged(scores: NDArray[Any], targets: NDArray[Any], signature: Any) -> NDArray[np.float64]:
    return np.stack([metric.scores({"scores": scores}, targets, signature) for metric in _metrics()])


def _best_factorization(dataset: Dataset, items: int) -> NDArray[Any]:
    """Scores (users, items) for the test items; like the model's, users are seen with all that they had before."""

    class _Named:  # what the metrics ask of a signature
        outputs = (type("Output", (), {"name": "scores"}),)

    before = [_seen(side.targets, items) for side in (dataset.validation, dataset.test)]
    best = max(
        _TRIED,
        key=lambda tried: _judged(factorized(before[0], *tried), dataset.validation.targets, _Named)[1].mean(),
    )
    return factorized(before[1], *best)


def _seen(targets: NDArray[Any], items: int) -> NDArray[np.bool_]:
    found = np.zeros((len(targets), items), bool)
    rows, places = np.nonzero(targets[:, 1:] >= 0)
    found[rows, targets[rows, 1 + places]] = True
    return found


def factorized(seen: NDArray[np.bool_], alpha: float, penalty: float) -> NDArray[Any]:
    """Scores (users, items) of implicit alternating least squares (Hu, Koren and Volinsky 2008, ICDM).

    Args:
        seen: (users, items), what each user has.
        alpha: how much more is had counts than what is not.
        penalty: on the squares of the factors.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    users = np.zeros((seen.shape[0], _FACTORS))
    items = generator.standard_normal((seen.shape[1], _FACTORS)) * 0.1
    for _ in range(_ROUNDS):
        users = _solved(seen, items, alpha, penalty)
        items = _solved(seen.T, users, alpha, penalty)
    return users @ items.T


def _solved(seen: NDArray[np.bool_], theirs: NDArray[Any], alpha: float, penalty: float) -> NDArray[Any]:
    whole = theirs.T @ theirs + penalty * np.eye(theirs.shape[1])
    found = np.zeros((len(seen), theirs.shape[1]))
    for row, had in enumerate(seen):
        few = theirs[had]
        if len(few):
            found[row] = np.linalg.solve(whole + alpha * few.T @ few, (1 + alpha) * few.sum(axis=0))
    return found
