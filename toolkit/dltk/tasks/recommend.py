"""Which item comes next for a user, of all there are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.ratings import prepare_ratings
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family
from dltk.edge.input.catalogue import CATALOGUE, FIRST_ITEM, parse_catalogue
from dltk.edge.metrics import paired_bootstrap
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]


class _Recommend(SplitTask):
    """A sample is a user with what the user had before; the target the item that came next."""

    name = "recommend"
    family = "recommendation"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A CSV of user,item,rating,timestamp; or movielens-small.")
        return prepare_ratings(data, settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        length, users, items = settings.data.length, dataset.report["users"], dataset.report["items"]
        return Contract(
            {"user": (1,), "history": (length,), "weights": (length, 1)},
            {"scores": (items,)},
            {"user": (0.0, float(users)), "history": (0.0, items + FIRST_ITEM - 1.0), "weights": (0.0, 1.0)},
        )

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        contract = self.contract(settings, dataset)
        catalogue = parse_catalogue(dataset.assets[CATALOGUE])
        axes = {"user": ("batch", "one"), "history": ("batch", "place"), "weights": ("batch", "place", "one")}
        return Signature(
            task=self.name,
            family=self.family,
            inputs=tuple(
                TensorSpec(
                    name, "float32" if name == "weights" else "int32", (None, *shape), axes[name],
                    contract.input_ranges[name],
                )
                for name, shape in contract.inputs.items()
            ),
            outputs=(TensorSpec("scores", "float32", (None, *contract.outputs["scores"]), ("batch", "item")),),
            preprocess=(
                dataset.report["ratings"],
                _history(settings.data, dataset),
                catalogue.op(),
                *built.preprocess,
            ),
            postprocess=({"op": "softmax"},),
            assets=dataset.assets,
        )  # fmt: skip

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """What it is worth to know the user: the same figures of a list of the most popular items, and how far the
        model lies above them, [estimate, low, high] of a 95% paired bootstrap over the users.
        """
        counts = np.bincount(dataset.train.targets, minlength=outputs.shape[-1]).astype(np.float32)
        popular = {"scores": np.broadcast_to(counts, outputs.shape)}
        found: dict[str, Any] = {"above_popularity": {}}
        for metric in family(self.family).metrics:
            ours, theirs = (
                metric.scores(scores, dataset.test.targets, signature) for scores in ({"scores": outputs}, popular)
            )
            found[f"popularity_{metric.name}"] = float(theirs.mean())
            found["above_popularity"][metric.name] = list(paired_bootstrap(ours, theirs, seed=settings.seed))
        return found


TASK = _Recommend()


def _history(data: Any, dataset: Dataset) -> dict[str, Any]:
    half_life = dataset.report.get("half_life", data.half_life)  # 0 where no order is known
    return {"op": "history", "length": data.length, "half_life": half_life, "kept": dataset.report["kept"]}
