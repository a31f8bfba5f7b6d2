"""The trainer of autoencoders: a whole that gives samples back, of which the device may get only the first half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.recipe.recipe import Built
from dltk.training.trainers.fit import FitTrainer

__all__ = ["AutoencoderTrainer"]


class AutoencoderTrainer(FitTrainer):
    """Trains a model to give its input back; see `FitTrainer`."""

    @classmethod
    def phases(
        cls, built: Built, dataset: Dataset, signature: Signature, settings: Any, *, progress: Progress = SILENT
    ) -> Iterator[FitTrainer]:
        """One trainer a phase of `built`.

        A model whose prediction is a code learns as part of `built.parts["autoencoder"]`, which has the same layers and
        gives the input tensor back.

        Raises:
            InputError: if the recipe of such a model gives no part "autoencoder".
        """
        if signature.family != "embedding":
            yield from super().phases(built, dataset, signature, settings, progress=progress)
            return
        if "autoencoder" not in built.parts:
            rule = "must give a part 'autoencoder' to train an encoder"
            raise InputError("recipe", rule, sorted(built.parts))
        whole = replace(built, model=built.parts["autoencoder"])
        # Trained as a model that gives samples back; what follows the output on the device has no part in it.
        outputs = (replace(signature.inputs[0], name=whole.model.outputs[0].name),)
        given_back = replace(signature, family="restore", outputs=outputs)
        yield from super().phases(whole, dataset, given_back, settings, progress=progress)
