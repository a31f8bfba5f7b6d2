"""What the tests of deep Q-learning train: a network of a few weights in a corridor of seven places.

`python -m training.corridors CHECKPOINT` is a child process that dies by SIGKILL in the third epoch.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dltk import tasks
from dltk.base.progress import SILENT
from dltk.models.backend import keras
from dltk.recipe import Built, Dqn, Fit, Phase
from dltk.training import harness, run, trainer_class

NAME = "corridor:Corridor-v0"
FIT = Fit(epochs=4, batch_size=32, learning_rate=5e-3, clip_norm=10.0)
DQN = Dqn(
    n_step=2, priority=0.5, memory=900, warm_up=100, side_by_side=4, rounds=3, play=80, updates=30, target_every=20,
    explore=0.5, episodes=20,
)  # fmt: skip


def settings(dqn: Dqn = DQN, *, seed: int = 1) -> Any:
    """What a recipe of this task has."""
    return SimpleNamespace(seed=seed, dqn=dqn, data=SimpleNamespace(samples=60, episodes=20))


def trainer(fit: Fit = FIT, dqn: Dqn = DQN, *, seed: int = 1) -> Any:
    """A trainer of a new network, and its data."""
    asked, task = settings(dqn, seed=seed), tasks.task("control")
    dataset = task.prepare(asked, NAME, progress=SILENT)
    keras.utils.set_random_seed(seed)
    seen = keras.Input((2,), name="observation")
    x = keras.layers.Dense(16, activation="relu", name="hidden")(seen)
    model = keras.Model(seen, keras.layers.Dense(2, name="values")(x))
    model.get_layer("values").set_weights([np.zeros((16, 2)), np.array([0.1, 0.0])])  # at first it goes left, always
    built = Built(model, (Phase("fit", fit),))
    (made,) = trainer_class("dqn").phases(built, dataset, task.signature(asked, dataset, built), asked)
    return made


def main(path: Path) -> None:
    """Die in the middle of the third epoch."""
    harness._WRITE_SHARE = 1e9  # a checkpoint every epoch
    made = trainer()
    step, count = made.step, iter(range(10_000))

    def dying_step(batch: Any) -> Any:
        if next(count) == 2 * made.steps + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(batch)

    made.step = dying_step
    run(made, checkpoint=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
