"""Baselines of samples without classes: anomalies, recommendations and policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset
from dltk.edge.input.catalogue import FIRST_ITEM
from dltk.edge.metrics import ranks
from dltk.edge.play import play
from dltk.training.baselines.classifiers import drawn, features_of
from dltk.training.baselines.images import small_pixels

__all__ = ["anomalies", "policies", "recommendations"]

_VARIANCE = 0.9  # of the normal samples, that the components explain
_DEPTH = 10
_USERS = 256  # users that are ranked at a time
_EPISODES = 50


def anomalies(dataset: Dataset) -> Mapping[str, Any]:
    """Area under the ROC curve of the reconstruction error on the test split; see `baselines_of`.

    Empty where samples are no anomalies (other uses of an autoencoder), or all or none of the test split are.

    Args:
        dataset: raw samples, images uint8 (n, height, width, channels) or numbers (n, columns); targets (n,), 1 for an
            anomaly.
    """
    strange = np.asarray(dataset.test.targets)
    if "normal" not in dataset.report or strange.ndim != 1 or len(np.unique(strange)) < 2:
        return {}
    from sklearn.decomposition import PCA
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    features = small_pixels if dataset.test.store.ndim == 4 else _numbers
    known = features_of(drawn(dataset), features)
    asked = features_of([(dataset.test, np.arange(len(strange)))], features)
    if features is _numbers:  # each column counts alike
        mean, deviation = known.mean(axis=0), known.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        known, asked = (known - mean) / deviation, (asked - mean) / deviation
    if not known.var(axis=0).any():
        return {}
    with threadpool_limits(1):
        components = PCA(_VARIANCE, svd_solver="full").fit(known)
        restored = components.inverse_transform(components.transform(asked))
    errors = np.square(asked - restored).mean(axis=1)
    row = {"name": "principal components", "score": float(roc_auc_score(strange, errors))}
    return {"metric": "auc", "higher_is_better": True, "rows": [row]}


def _numbers(raws: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(raws, np.float32)


def recommendations(dataset: Dataset) -> Mapping[str, Any]:
    """Hit rate at 10 of each baseline on the test split; see `baselines_of`.

    Items that often have the same users are near each other (cosine; Sarwar et al. 2001, doi:10.1145/371920.372071);
    an item's score is the sum over the user's newest items.

    Args:
        dataset: raw samples are records of "user" and "history"; targets (n,) item numbers of the training split, and
            (n, 1 + k) of the test split, see `dltk.edge.metrics.ranks`.
    """
    from scipy.sparse import csr_matrix

    items = int(dataset.report["items"])
    popular = np.bincount(dataset.train.targets, minlength=items).astype(np.float32)
    raws = dataset.train.take(slice(None))
    named = raws["user"] > 0
    pairs = np.unique(np.stack([raws["user"][named], dataset.train.targets[named]], axis=1), axis=0)
    had = csr_matrix(
        (np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), (pairs[:, 0].max(initial=0) + 1, items)
    )
    near = had.multiply(1 / np.sqrt(np.maximum(np.asarray(had.sum(axis=0)), 1))).tocsr()
    length = raws["history"].shape[1]
    hits: dict[str, list[NDArray[np.bool_]]] = {"popularity": [], "item neighbours": []}
    for start in range(0, len(dataset.test), _USERS):
        asked = dataset.test.take(slice(start, start + _USERS))["history"][:, -length:]
        wanted = dataset.test.targets[start : start + _USERS]
        users, places = np.nonzero(asked >= FIRST_ITEM)
        newest = csr_matrix(
            (np.ones(len(users), np.float32), (users, asked[users, places] - FIRST_ITEM)), (len(asked), items)
        )
        scores = ((newest @ near.T) @ near).toarray() + 1e-6 * popular / popular.max()  # popularity breaks ties
        hits["popularity"].append(ranks(np.broadcast_to(popular, scores.shape), wanted) <= _DEPTH)
        hits["item neighbours"].append(ranks(scores, wanted) <= _DEPTH)
    rows = [{"name": name, "score": float(np.concatenate(found).mean())} for name, found in hits.items()]
    return {"metric": f"hit_rate_{_DEPTH}", "higher_is_better": True, "rows": rows}


def policies(dataset: Dataset) -> Mapping[str, Any]:
    """Mean return of 50 episodes with actions at random, in the environment of `dataset`; see `baselines_of`."""
    rng, actions = np.random.default_rng(0), int(dataset.report["actions"])

    def choose(observations: NDArray[np.float32]) -> NDArray[np.int64]:
        return rng.integers(0, actions, len(observations))

    played = play(choose, str(dataset.report["environment"]), episodes=_EPISODES, seed=0)
    row = {"name": "random actions", "score": float(played.as_dict()["return_mean"])}
    return {"metric": "return_mean", "higher_is_better": True, "rows": [row]}
