"""The trainer of a generator against a discriminator; the losses are in `dltk.training.trainers.adversarial`.

Layers with a spectral norm (Miyato et al. 2018, arXiv:1802.05957) keep theirs in the discriminator's
variables, and so in the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.input.images.decode import as_png_grid
from dltk.models.backend import tf
from dltk.recipe.groups import Adversarial, Fit
from dltk.recipe.recipe import Built
from dltk.training.checkpoint import identity, require_same
from dltk.training.norms import reestimate_norms
from dltk.training.optimizers import lengthened, optimizer, rate
from dltk.training.prefetch import prefetch
from dltk.training.trainer import AT_START, Row
from dltk.training.trainers.adversarial import (
    class_loss,
    class_uncertainty,
    gradient_penalty,
    hinge,
    wasserstein,
    with_class_output,
)
from dltk.training.views.counter import generator, permutation
from dltk.training.weights import Average, assign_values, from_arrays, seed_dropout, snapshot, to_arrays

__all__ = ["GanTrainer"]

_VALIDATION = 512  # images that are compared: the figure only shows that neither side has won
_SHOWN = 64  # images of a grid of samples
_REESTIMATING = 32  # batches whose mean the statistics of batch norms become under averaged weights
_BETA_1 = 0.5  # Adam's, after Radford et al. 2015 (arXiv:1511.06434): 0.9 makes the pair oscillate


@dataclass(frozen=True)
class _Batch:
    reals: NDArray[np.float32]
    targets: NDArray[np.int64]  # their classes
    noise: NDArray[np.float32]  # (2, n, ...): one draw for each side
    rate: float
    moves: bool  # whether the generator learns, too


class GanTrainer:
    """Trains generator and discriminator in turn; see `dltk.training.trainer.Trainer`.

    Args:
        model: the generator, a Keras 3 model from noise to an image in the range before "to_uint8".
        discriminator: a Keras 3 model from an image to one number.
        dataset: its samples are real images, uint8 (H, W, C); InputError if the generator's have another shape.
        signature: of the generator: "normal" before it, "to_uint8" after it.
        fit: settings of the phase; `average` averages the generator's weights.
        adversarial: the loss, and how the two networks alternate; the hinge loss, step by step, when None.
    """

    @classmethod
    def phases(
        cls, built: Built, dataset: Dataset, signature: Signature, settings: Any, *, progress: Progress = SILENT
    ) -> Iterator[GanTrainer]:
        """One trainer a phase of `built`, whose `parts` hold the discriminator.

        Raises:
            InputError: if the recipe gives no part "discriminator".
        """
        if "discriminator" not in built.parts:
            raise InputError("recipe", "must give a part 'discriminator' to train a generator", sorted(built.parts))
        for phase in built.phases:
            yield cls(
                built.model,
                built.parts["discriminator"],
                dataset,
                signature,
                phase.fit,
                seed=settings.seed,
                name=phase.name,
                adversarial=getattr(settings, "adversarial", None),
            )

    def __init__(
        self, model: Any, discriminator: Any, dataset: Dataset, signature: Signature, fit: Fit, *, seed: int,
        name: str = "fit", adversarial: Adversarial | None = None
    ) -> None:  # fmt: skip
        if tuple(dataset.train.store.shape[1:]) != signature.outputs[0].sample_shape:
            rule = f"must have the generator's shape {signature.outputs[0].sample_shape}"
            raise InputError("images", rule, tuple(dataset.train.store.shape[1:]))
        if fit.keep != "accuracy":
            raise InputError("setting fit.keep", "has no meaning in adversarial training", fit.keep, "Leave it out.")
        fit = lengthened(fit, len(dataset.train))
        self.name, self.epochs, self._seed = name, fit.epochs, seed
        self._dataset, self._signature, self._fit = dataset, signature, fit
        self._rules = adversarial or Adversarial()
        self._names = bool(self._rules.label_weight) and len(dataset.labels) > 1 and dataset.train.targets.ndim == 1
        if self._names:
            discriminator = with_class_output(discriminator, len(dataset.labels), seed=seed)
        self._models = (model, discriminator)
        extras = {"beta_1": _BETA_1} if fit.optimizer in ("adam", "adamw") else {}
        self._optimizers = [optimizer(fit, each, **extras) for each in self._models]
        for each, rule in zip(self._models, self._optimizers, strict=True):
            rule.build(each.trainable_variables)
        self._average = Average(model.trainable_variables, fit.average) if fit.average else None
        seed_dropout(discriminator, seed, name, "discriminator")
        self._facts = identity(self._models, asdict(fit), asdict(self._rules), seed, name, dataset.digest)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self._dataset.train) / self._fit.batch_size)

    def batches(self, epoch: int) -> Iterator[_Batch]:
        """Real images and noise; a function of the seed and the epoch."""
        order = permutation(len(self._dataset.train), self._seed, self.name, "order", epoch)

        def make(step: int) -> _Batch:
            rows = order[step * self._fit.batch_size : (step + 1) * self._fit.batch_size]
            stream = generator(self._seed, self.name, "noise", epoch, step)
            noise = stream.standard_normal((2, len(rows), *self._signature.inputs[0].sample_shape), np.float32)
            now = rate(self._fit, epoch * self.steps + step, self.steps)
            moves = (epoch * self.steps + step + 1) % self._rules.critic_steps == 0
            reals = self._scaled(self._dataset.train.take(rows))
            return _Batch(reals, self._dataset.train.targets[rows], noise, now, moves)

        yield from prefetch(make, range(self.steps))

    def step(self, batch: _Batch) -> Mapping[str, Any]:
        """The discriminator learns first, then the generator against it, where it is its turn."""
        learn = self._learn if batch.moves else self._learn_critic
        return dict(
            learn(*map(tf.constant, (batch.reals, batch.targets, batch.noise)), tf.constant(batch.rate, tf.float32))
        )

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        """The discriminator's loss, without penalty, on validation images and on as many made ones.

        If it cannot distinguish them it is 2 for the hinge loss, and 0 for Wasserstein's.
        """
        split = self._dataset.validation
        count = min(len(split), _VALIDATION)
        if not count:
            return {}
        reals = self._scaled(split.take(np.arange(count)))
        tensors = family(self._signature.family).tensors(np.arange(count), self._signature)
        (noise,) = tensors.values()
        return {"validation_loss": float(self._judge(tf.constant(reals), tf.constant(noise)))}

    def done(self, history: Sequence[Row]) -> bool:
        """Never early: no metric shows which generator is the best."""
        return False

    def state(self) -> dict[str, NDArray[Any]]:
        """Both models, both optimizers, the average, in their shapes."""
        state: dict[str, NDArray[Any]] = {"facts": self._facts}
        for group, variables in self._groups.items():
            state |= to_arrays(group, variables)
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state` gave, names and shapes included.

        Raises:
            InputError: if models, data or settings are not those of the interrupted run.
        """
        require_same(state, self._facts, self.name)
        found = {group: from_arrays(group, state, variables) for group, variables in self._groups.items()}
        for group, variables in self._groups.items():
            assign_values(variables, found[group])

    def shown(self, epoch: int) -> Mapping[str, bytes]:
        """A grid of samples, always of the same noise, every few epochs and after the last."""
        every = self._rules.samples_every
        if not every or ((epoch + 1) % every and epoch + 1 < self.epochs):
            return {}
        model = self._models[0]
        before = snapshot(model.variables)
        self.finish()
        kind = family(self._signature.family)
        (noise,) = kind.tensors(np.arange(_SHOWN), self._signature).values()
        outputs = {self._signature.outputs[0].name: model(noise, training=False).numpy()}
        assign_values(model.variables, before)
        return {f"{epoch + 1:04d}.png": as_png_grid(kind.predictions(outputs, self._signature, top=1))}

    def finish(self) -> None:
        """The generator's averaged weights, where they were asked for."""
        if self._average:
            assign_values(self._models[0].trainable_variables, snapshot(self._average.values))
            self._reestimate_norms()

    def _reestimate_norms(self) -> None:
        """Give batch norms the statistics of the weights they stand behind now: means over fresh noise."""
        shape = (self._fit.batch_size, *self._signature.inputs[0].sample_shape)
        streams = (generator(self._seed, self.name, "norms", number) for number in range(_REESTIMATING))
        reestimate_norms(self._models[0], (stream.standard_normal(shape, np.float32) for stream in streams))

    def explain(self, epoch: int, step: int) -> str:
        """The learning rate: images of whole numbers cannot be at fault."""
        if epoch < 0:
            return AT_START
        now = rate(self._fit, epoch * self.steps + step % self.steps, self.steps)
        return f"Likely cause: a learning rate of {now:.3g} is too high; try learning_rate={now / 10:.2g}."

    @property
    def _groups(self) -> dict[str, list[Any]]:
        groups = {
            "generator": self._models[0].variables,
            "discriminator": self._models[1].variables,
            "optimizer-generator": self._optimizers[0].variables,
            "optimizer-discriminator": self._optimizers[1].variables,
        }
        return groups | ({"average": self._average.variables} if self._average else {})

    def _scaled(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """uint8 images on the scale of the generator's output: undoes "to_uint8"."""
        found = images.astype(np.float32)
        for op in self._signature.postprocess:
            found = (found - np.float32(op["add"])) / np.float32(op["multiply"])
        return found

    @cached_property
    def _judge(self) -> Any:
        def judge(reals: Any, noise: Any) -> Any:
            made = self._models[0](noise, training=False)
            return self._loss(*(self._discriminate(images, training=False)[0] for images in (reals, made)))

        return tf.function(judge, autograph=False, reduce_retracing=True)

    def _discriminate(self, images: Any, *, training: bool) -> tuple[Any, Any]:
        """The discriminator's score of each image (n, 1), and the logits of its classes where it names them."""
        found = self._models[1](images, training=training)
        return tuple(found) if self._names else (found, None)

    @property
    def _loss(self) -> Callable[[Any, Any], Any]:
        return hinge if self._rules.loss == "hinge" else wasserstein

    @cached_property
    def _learn(self) -> Any:
        return tf.function(partial(self._alternating_step, moves=True), autograph=False, reduce_retracing=True)

    @cached_property
    def _learn_critic(self) -> Any:
        return tf.function(partial(self._alternating_step, moves=False), autograph=False, reduce_retracing=True)

    def _alternating_step(self, reals: Any, targets: Any, noise: Any, now: Any, *, moves: bool) -> dict[str, Any]:
        """One step, traced; without `moves` the generator's loss is reported, and its weights stay."""
        with tf.GradientTape() as tape:
            loss = self._critic_loss(reals, targets, noise)
        self._descend(1, tape, loss, now * self._rules.critic_rate)
        with tf.GradientTape() as tape:
            other = self._generator_loss(noise[1], training=moves)
        if moves:
            self._descend(0, tape, other, now)
            if self._average:
                self._average.update()
        # One figure stands for both: if either side is lost, the sum is not finite.
        return {"loss": loss + other, "discriminator_loss": loss, "generator_loss": other}

    def _critic_loss(self, reals: Any, targets: Any, noise: Any) -> Any:
        fakes = tf.stop_gradient(self._models[0](noise[0], training=True))
        (score, classes), (other, _) = (self._discriminate(images, training=True) for images in (reals, fakes))
        loss = self._loss(score, other)
        if self._rules.loss == "wgan-gp":
            between = gradient_penalty(lambda images: self._discriminate(images, training=True)[0], reals, fakes, noise)
            loss += self._rules.gradient_penalty * between
        return loss + self._rules.label_weight * class_loss(classes, targets) if self._names else loss

    def _generator_loss(self, noise: Any, *, training: bool) -> Any:
        score, classes = self._discriminate(self._models[0](noise, training=training), training=training)
        loss = -tf.reduce_mean(score)
        return loss + self._rules.label_weight * class_uncertainty(classes) if self._names else loss

    def _descend(self, side: int, tape: Any, loss: Any, now: Any) -> None:
        variables = self._models[side].trainable_variables
        gradients = tape.gradient(loss, variables)
        if self._fit.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._fit.clip_norm)
        self._optimizers[side].learning_rate.assign(now)
        self._optimizers[side].apply_gradients(zip(gradients, variables, strict=True))
