"""A policy: a small network learns the value of each action.

    dltk finetune control --data CartPole-v1

Deep Q-learning (Mnih et al. 2015), double (van Hasselt et al. 2016, arXiv:1509.06461) and dueling (Wang et al. 2016,
arXiv:1511.06581); sums of several rewards and prioritized replay (Schaul et al. 2016, arXiv:1511.05952) are settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dltk.recipe import Built, Calibration, Contract, DataHint, Dqn, Fit, Phase, PruneAndQuantize, Recipe, setting

__all__ = ["recipe"]


@dataclass(frozen=True)
class EnvironmentData:
    """Observations that standardize, calibrate and check the model; training data comes from playing."""

    samples: int = setting(
        1000, "observations in each of the training, validation and test splits", low=2, high=1_000_000
    )
    episodes: int = setting(100, "episodes of the final evaluation", low=1, high=10_000)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """Dense layers."""

    units: tuple[int, ...] = setting((128, 128), "units of the hidden layers")
    dueling: bool = setting(True, "dueling network: one stream for the state's value, one for the actions' advantages")


@dataclass(frozen=True)
class Settings:
    """Tuned on CartPole-v1."""

    seed: int = setting(0, "of the first weights, the episodes and the exploration", low=0)
    data: EnvironmentData = field(default_factory=EnvironmentData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=20, learning_rate=1e-3, clip_norm=10.0))
    dqn: Dqn = field(default_factory=lambda: Dqn(n_step=3, episodes=50))
    calibration: Calibration = field(default_factory=Calibration)
    # Where all actions are worth nearly the same, a step of int8 is too coarse to tell them apart.
    compress: PruneAndQuantize = field(default_factory=lambda: PruneAndQuantize(steps=("quantize:precision=float16",)))


def build(settings: Settings, contract: Contract) -> Built:
    """Dense layers with ReLU, then the values of all actions.

    With dueling streams only the advantages are exported. The value of the state is the same for all actions and only
    needed in training. It is large: on one 8-bit grid with it, the small differences between actions would be lost.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    observation = keras.Input(contract.input_shape, name="observation")
    x: Any = observation
    for number, units in enumerate(settings.model.units, start=1):
        x = layers.Dense(units, activation="relu", name=f"hidden_{number}")(x)
    advantages = layers.Dense(contract.output_size, name="advantages" if settings.model.dueling else "values")(x)
    phases = (Phase("fit", settings.fit),)
    if not settings.model.dueling:
        return Built(keras.Model(observation, advantages, name="control"), phases)
    policy = keras.Model(observation, _centred(advantages, contract.output_size), name="control")
    state = keras.Model(observation, layers.Dense(1, name="state")(x), name="state")
    return Built(policy, phases, parts={"state": state})


def _centred(advantages: Any, actions: int) -> Any:
    """Advantages minus their mean over all actions: a Dense layer with fixed weights."""
    import numpy as np
    from keras import layers

    layer = layers.Dense(actions, use_bias=False, trainable=False, name="values")
    values = layer(advantages)
    layer.set_weights([np.eye(actions, dtype=np.float32) - np.float32(1 / actions)])
    return values


recipe = Recipe(
    name="control",
    summary="Deep Q-learning: a policy for a gymnasium environment with numbered actions.",
    task="control",
    settings=Settings(),
    build=build,
    smoke={
        "data.samples": 100,
        "data.episodes": 3,
        "model.units": (16,),
        "fit.epochs": 2,
        "dqn.warm_up": 64,
        "dqn.rounds": 2,
        "dqn.play": 64,
        "dqn.updates": 8,
        "dqn.episodes": 2,
    },
    data=DataHint(
        layout="the name of a gymnasium environment with numbered actions and a row of numbers as observation",
        sample="CartPole-v1\nAcrobot-v1\nyour_module:YourEnvironment-v0",
        default="CartPole-v1",
    ),
)
