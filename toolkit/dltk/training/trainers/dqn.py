"""The trainer of a network that learns what actions are worth: deep Q-learning (Mnih et al. 2015).

With double estimation (van Hasselt et al. 2016, arXiv:1509.06461), sums of several rewards (Sutton 1988) and
prioritized replay (Schaul et al. 2016, arXiv:1511.05952) as settings. Of dueling streams (Wang et al. 2016,
arXiv:1511.06581) the model gives the advantages, and a part "state" of the recipe the value that is added to them.

Playing and learning take turns: a round plays some steps, then takes all its optimizer steps in one compiled loop.
Within a round priorities are those from before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.play import play
from dltk.models.backend import keras, tf
from dltk.recipe.groups import Dqn, Fit
from dltk.recipe.recipe import Built
from dltk.training.checkpoint import identity, require_same
from dltk.training.features import runner
from dltk.training.optimizers import optimizer, rate
from dltk.training.selection import Selection
from dltk.training.trainer import AT_START, Row
from dltk.training.trainers.memory import Memory, Transitions
from dltk.training.trainers.players import Players
from dltk.training.views.counter import derive, generator
from dltk.training.weights import assign_values, from_arrays, seed_dropout, snapshot, to_arrays

__all__ = ["DqnTrainer"]

# Settings of Fit without a meaning here.
_UNUSED = ("least_steps", "l2", "label_smoothing", "class_weights", "keep", "average", "precision")


@dataclass(frozen=True)
class _Round:
    epoch: int
    number: int  # within the epoch


class DqnTrainer:
    """Trains a network on what it plays itself; see `dltk.training.trainer.Trainer`.

    Args:
        model: Keras 3, from an observation as the signature makes it to the values of all actions.
        dataset: names the environment.
        fit: `batch_size` transitions an optimizer step; `schedule` and `warmup` go by rounds.
        dqn: how it plays, and what a value is.
        state: Keras 3, from the very input of `model` to a number (n, 1) that is added to the values of all actions.

    Raises:
        InputError: if a setting of `fit` is set that has no meaning here.
    """

    @classmethod
    def phases(
        cls, built: Built, dataset: Dataset, signature: Signature, settings: Any, *, progress: Progress = SILENT
    ) -> Iterator[DqnTrainer]:
        """One trainer per phase of `built`; `settings.dqn` has the settings of playing.

        Raises:
            InputError: if a phase freezes a part of the network.
        """
        for phase in built.phases:
            if phase.frozen_through is not None:
                raise InputError(f"phase {phase.name}", "of dqn trains the whole network", phase.frozen_through)
            yield cls(
                built.model, dataset, signature, phase.fit, settings.dqn, seed=settings.seed, name=phase.name,
                state=built.parts.get("state")
            )  # fmt: skip

    def __init__(
        self, model: Any, dataset: Dataset, signature: Signature, fit: Fit, dqn: Dqn, *, seed: int, name: str = "fit",
        state: Any = None
    ) -> None:  # fmt: skip
        _require_meaning(fit)
        self.name, self.epochs, self.steps = name, fit.epochs, dqn.rounds
        self._model, self._dataset, self._signature, self._fit, self._dqn = model, dataset, signature, fit, dqn
        self._seed, self._environment = seed, str(dataset.report["environment"])
        self._players = Players(
            self._environment, dqn.side_by_side, self._inputs, steps=dqn.n_step, discount=dqn.discount
        )  # fmt: skip
        self._memory = Memory(dqn.memory, signature.inputs[0].sample_shape[0], priority=dqn.priority)
        self._learner = model if state is None else _with_state(model, state)
        self._target = keras.models.clone_model(self._learner)
        assign_values(self._target.variables, snapshot(self._learner.variables))
        self._optimizer = optimizer(fit, self._learner)
        self._optimizer.build(self._learner.trainable_variables)
        self._selection = Selection(fit)
        seed_dropout(self._learner, seed, name, "dropout")
        self._facts = identity([self._learner], asdict(fit), asdict(dqn), seed, name, dataset.digest)

    def batches(self, epoch: int) -> Iterator[_Round]:
        """The rounds of `epoch`: what is played in them follows from the state."""
        return (_Round(epoch, number) for number in range(self.steps))

    def step(self, batch: _Round) -> Mapping[str, Any]:
        """Play, then learn; "loss" and "value" (the mean value of what was done), one an optimizer step."""
        where, dqn = (self._seed, self.name, batch.epoch, batch.number), self._dqn
        if batch.number == 0:
            self._players.start(self._seed, self.name, batch.epoch)
        if (batch.epoch, batch.number) == (0, 0):
            self._remember(dqn.warm_up, generator(*where, "warm-up"), epsilon=1.0)
        done = (batch.epoch * self.steps + batch.number) / (self.epochs * self.steps)
        down = min(done / dqn.explore, 1.0) if dqn.explore else 1.0
        self._remember(dqn.play, generator(*where, "play"), epsilon=1.0 + down * (dqn.epsilon - 1.0))
        importance = dqn.importance + done * (1.0 - dqn.importance)
        shape = (dqn.updates, self._fit.batch_size)
        places, weights = self._memory.draw(shape, generator(*where, "draw"), importance=importance)
        found = self._learn(
            *_constants(self._memory.take(places)), tf.constant(weights), *self._learning_rate_and_step(batch)
        )
        figures = {name: values.numpy() for name, values in found.items()}
        self._memory.learnt(places, figures.pop("errors"))
        return figures

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        """Returns of greedy episodes, the same starts at every call; the best weights are kept."""
        found = play(self._best_of_raws, self._environment, episodes=self._dqn.episodes, seed=self._start_seed)
        # Of equal means the steadier one.
        self._selection.take(epoch, (found.mean, -found.spread), snapshot(self._learner.variables))
        return {"validation_return": found.mean, "validation_return_spread": found.spread}

    def done(self, history: Sequence[Row]) -> bool:
        """Early stopping."""
        return self._selection.exhausted(int(history[-1]["epoch"]) if history else 0)

    @property
    def kept(self) -> int | None:
        """The epoch, from 1, whose network gained most; 0: the start."""
        return self._selection.kept

    def state(self) -> dict[str, NDArray[Any]]:
        """Both networks, optimizer, memory, best weights, in their shapes. Each epoch begins new episodes."""
        state: dict[str, NDArray[Any]] = {"facts": self._facts, "selection": self._selection.numbers()}
        for group, variables in self._groups.items():
            state |= to_arrays(group, variables)
        state |= to_arrays("best", self._selection.values)
        return state | {f"memory/{name}": array for name, array in self._memory.state().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state` gave, names and shapes included.

        Raises:
            InputError: if model, data or settings are not those of the interrupted run.
        """
        require_same(state, self._facts, self.name)
        found = {group: from_arrays(group, state, variables) for group, variables in self._groups.items()}
        best = from_arrays("best", state, self._learner.variables)
        self._memory.restore({name[7:]: array for name, array in state.items() if name.startswith("memory/")})
        for group, variables in self._groups.items():
            assign_values(variables, found[group])
        self._selection.restore(state, best)

    def finish(self) -> None:
        """The weights that gained most."""
        if self._selection.values:
            assign_values(self._learner.variables, self._selection.values)

    def explain(self, epoch: int, step: int) -> str:
        """The environment, else the learning rate."""
        kept = self._memory.state()
        for part in ("before", "rewards", "after"):
            if not np.isfinite(np.asarray(kept[part], np.float64)).all():
                return f"The environment {self._environment} gave numbers that are not finite ({part})."
        if epoch < 0:
            return AT_START
        now = rate(self._fit, epoch * self.steps, self.steps)
        return f"Likely cause: a learning rate of {now:.3g} is too high; try learning_rate={now / 10:.2g}."

    @property
    def _groups(self) -> dict[str, list[Any]]:
        groups = {"online": self._learner, "target": self._target, "optimizer": self._optimizer}
        return {name: list(owner.variables) for name, owner in groups.items()}

    @cached_property
    def _start_seed(self) -> int:
        return derive(self._seed, self.name, "evaluate") % 2**31

    @cached_property
    def _forward(self) -> Any:
        return runner(self._model)

    def _inputs(self, raws: NDArray[np.float32]) -> NDArray[np.float32]:
        (found,) = family(self._signature.family).tensors(raws, self._signature).values()
        return found

    def _best(self, inputs: NDArray[np.float32]) -> NDArray[np.int64]:
        return self._forward(tf.constant(inputs)).numpy().argmax(axis=-1)

    def _best_of_raws(self, raws: NDArray[np.float32]) -> NDArray[np.int64]:
        return self._best(self._inputs(raws))

    def _remember(self, steps: int, rng: np.random.Generator, *, epsilon: float) -> None:
        times = -(-steps // len(self._players))
        self._memory.add(self._players.play(times, self._best, rng, epsilon=epsilon))

    def _learning_rate_and_step(self, batch: _Round) -> tuple[Any, Any]:
        """The learning rate of a round, and how many optimizer steps came before it."""
        number = batch.epoch * self.steps + batch.number
        now = rate(self._fit, number, self.steps) * self._selection.factor
        return tf.constant(now, tf.float32), tf.constant(number * self._dqn.updates, tf.int64)

    @cached_property
    def _learn(self) -> Any:
        names = ("loss", "value", "errors")

        def learn(*given: Any) -> Any:
            *batches, now, before = given  # (updates, batch, ...) each
            count = tf.shape(batches[0])[0]
            self._optimizer.learning_rate.assign(now)

            def body(step: Any, found: Any) -> Any:
                figures = self._update(*(each[step] for each in batches))
                copied = tf.equal((before + tf.cast(step, tf.int64) + 1) % self._dqn.target_every, 0)
                tf.cond(copied, self._copy, lambda: tf.constant(0))
                return step + 1, {name: found[name].write(step, figures[name]) for name in names}

            start = (tf.constant(0), {name: tf.TensorArray(tf.float32, count) for name in names})
            _, found = tf.while_loop(lambda step, _: step < count, body, start, parallel_iterations=1)
            return {name: values.stack() for name, values in found.items()}

        return tf.function(learn, autograph=False, reduce_retracing=True)

    def _update(self, before: Any, actions: Any, rewards: Any, discounts: Any, after: Any, weights: Any) -> Any:
        """One optimizer step on a batch, by the Huber loss."""
        later = self._target(after, training=False)
        judged = self._learner(after, training=False) if self._dqn.double else later
        best = tf.gather(later, tf.argmax(judged, axis=-1), axis=1, batch_dims=1)
        wanted = tf.stop_gradient(rewards + discounts * best)
        variables = self._learner.trainable_variables
        with tf.GradientTape() as tape:
            values = tf.gather(self._learner(before, training=True), actions, axis=1, batch_dims=1)
            errors = wanted - values
            size = tf.abs(errors)
            huber = tf.where(size <= 1.0, 0.5 * tf.square(errors), size - 0.5)
            loss = tf.reduce_mean(weights * huber)
        gradients = tape.gradient(loss, variables)
        if self._fit.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._fit.clip_norm)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"loss": loss, "value": tf.reduce_mean(values), "errors": errors}

    def _copy(self) -> Any:
        for target, source in zip(self._target.variables, self._learner.variables, strict=True):
            target.assign(source)
        return tf.constant(0)


def _with_state(model: Any, state: Any) -> Any:
    """A model of both streams that shares their layers: the values of all actions.

    Raises:
        InputError: if the streams do not begin at the same input.
    """
    if [id(tensor) for tensor in state.inputs] != [id(tensor) for tensor in model.inputs]:
        raise InputError("recipe: part 'state'", "must begin at the very input of the model")
    return keras.Model(model.inputs, keras.layers.Add(name="both")([model.outputs[0], state.outputs[0]]))


def _constants(found: Transitions) -> list[Any]:
    return [tf.constant(getattr(found, part.name)) for part in fields(Transitions)]


def _require_meaning(fit: Fit) -> None:
    for name in _UNUSED:
        if getattr(fit, name) != getattr(Fit(), name):
            raise InputError(f"setting fit.{name}", "has no meaning in deep Q-learning", getattr(fit, name))
