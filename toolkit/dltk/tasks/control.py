"""What to do next in an environment, from what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.split import SPLITS
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.environments import open_environment
from dltk.edge.play import Choose, Played, play
from dltk.recipe import Built, Contract
from dltk.tasks.base import Predict, SplitTask

__all__ = ["TASK"]

_DEFAULT = "CartPole-v1"
_BATCH = 16  # episodes that are played at a time, until there are observations enough


class _Control(SplitTask):
    """The data set holds observations: before training those of a policy that acts at random, afterwards also those
    that the trained one meets. They standardize, calibrate and prove a model; it learns from what it plays itself.
    """

    name = "control"
    family = "policy"
    trainer = "dqn"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        name = data or _DEFAULT
        with closing(open_environment(name)) as found:
            width, actions = found.width, found.actions
        seen = {}
        with progress.bar(f"playing {name} at random", len(SPLITS)) as bar:
            for split in SPLITS:
                random = _at_random(actions, _seed(settings.seed, split, "actions"))
                seen[split] = _observe_episodes(
                    random, name, settings.data.samples, _seed(settings.seed, split, "random")
                )
                bar.advance(1)
        mean, deviation = _moments(seen["train"])
        report = {
            "environment": name,
            "numbers": width,
            "actions": actions,
            "mean": mean.tolist(),
            "std": deviation.tolist(),
        }
        return _dataset(seen, name, report)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        return Contract({"observation": (dataset.report["numbers"],)}, {"values": (dataset.report["actions"],)})

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        report = dataset.report
        seen = TensorSpec("observation", "float32", (None, report["numbers"]), ("batch", "number"))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(seen,),
            outputs=(TensorSpec("values", "float32", (None, report["actions"]), ("batch", "action")),),
            preprocess=({"op": "standardize", "mean": report["mean"], "std": report["std"]},),
        )

    def refresh(self, dataset: Dataset, settings: Any, predict: Predict) -> Dataset:
        """Replace half of each split's observations by those that the model meets; the test split's episodes also give
        its return.
        """
        name, count = str(dataset.report["environment"]), settings.data.samples

        def choose(raws: NDArray[np.float32]) -> NDArray[Any]:
            return predict(raws).argmax(axis=-1)

        judged = play(choose, name, episodes=settings.data.episodes, seed=_seed(settings.seed, "test", "trained"))
        seen = {}
        for split in SPLITS:
            random = getattr(dataset, split).take(slice(None))
            if split == "test":
                met = _some(judged.observations, count - count // 2, settings.seed)
            else:
                met = _observe_episodes(choose, name, count - count // 2, _seed(settings.seed, split, "trained"))
            seen[split] = np.concatenate([random[: count // 2], met])
        return _dataset(seen, dataset.source, dict(dataset.report) | _returns_of(judged))

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """What episodes of the test split returned."""
        return {name: value for name, value in dataset.report.items() if name in ("episodes", *_RETURNS)}


TASK = _Control()

_RETURNS = ("return_mean", "return_spread", "return_lowest")


def _returns_of(played: Played) -> dict[str, Any]:
    found = played.as_dict()
    return {name: found[name] for name in ("episodes", *_RETURNS)}


def _seed(seed: int, *purpose: str) -> int:
    """A seed of its own for each purpose, below 2**31 so that episodes can count up from it."""
    words = [int.from_bytes(word.encode(), "little") for word in purpose]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0]) // 2


def _at_random(actions: int, seed: int) -> Choose:
    rng = np.random.Generator(np.random.Philox(seed))
    return lambda raws: rng.integers(0, actions, len(raws))


def _observe_episodes(choose: Choose, name: str, count: int, seed: int) -> NDArray[np.float32]:
    """(count, numbers): observations of whole episodes, as many as it takes, drawn from alike."""
    found: list[NDArray[np.float32]] = []
    while sum(map(len, found)) < count:
        found.append(play(choose, name, episodes=_BATCH, seed=seed + _BATCH * len(found)).observations)
    return _some(np.concatenate(found), count, seed)


def _some(observations: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """(count, numbers), each at most once where there are enough."""
    rng = np.random.Generator(np.random.Philox(seed))
    return observations[rng.choice(len(observations), count, replace=len(observations) < count)]


def _moments(observations: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seen = observations.astype(np.float64)
    deviation = seen.std(axis=0)
    return seen.mean(axis=0), np.where(deviation > 0, deviation, 1.0)  # what never changes stays as it is


def _dataset(seen: Mapping[str, NDArray[np.float32]], source: str, report: Mapping[str, Any]) -> Dataset:
    store, start, splits = np.concatenate([seen[split] for split in SPLITS]), 0, {}
    for split in SPLITS:
        rows = np.arange(start, start + len(seen[split]))
        splits[split] = Split(store, rows, np.zeros(len(rows), np.int64))  # no action is right or wrong
        start += len(rows)
    digest = sha256(canonical_json(dict(report)) + store.tobytes())
    train, validation, test = (splits[split] for split in SPLITS)
    return Dataset(train, validation, test, (), digest, source, report)
