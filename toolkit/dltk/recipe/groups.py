"""Groups of settings that many recipes share. A recipe uses those that it needs and changes the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dltk.recipe.settings import setting

__all__ = [
    "Adversarial",
    "Augment",
    "Augmentation",
    "Calibration",
    "Dqn",
    "Fit",
    "PruneAndQuantize",
    "SoundAugment",
]


@dataclass(frozen=True)
class Fit:
    """Settings of one phase of training."""

    epochs: int = setting(10, "passes over the training samples", low=0, high=100_000)
    least_steps: int = setting(
        0, "least optimizer steps: more epochs where the training samples are few; 0: off", low=0,
        high=10_000_000
    )  # fmt: skip
    batch_size: int = setting(64, "samples per step", low=1, high=65_536)
    optimizer: Literal["sgd", "adam", "adamw", "adagrad", "rmsprop"] = setting("adam", "update rule")
    learning_rate: float = setting(1e-3, "peak learning rate", low=0.0, high=100.0)
    momentum: float = setting(0.9, "momentum of sgd and rmsprop", low=0.0, high=1.0)
    nesterov: bool = setting(False, "Nesterov momentum (sgd)")
    schedule: Literal["constant", "step", "exponential", "cosine", "plateau"] = setting("cosine", "rate decay")
    warmup: float = setting(0.0, "epochs of linear warm-up", low=0.0)
    decay_every: float = setting(10.0, "step, exponential: epochs between decays", low=0.1)
    decay_factor: float = setting(0.1, "step, exponential, plateau: factor of a decay", low=0.0, high=1.0)
    plateau_patience: int = setting(3, "plateau: epochs without improvement before a decay", low=1)
    weight_decay: float = setting(0.0, "decoupled weight decay (adamw)", low=0.0)
    l2: float = setting(0.0, "L2 penalty on kernels", low=0.0)
    label_smoothing: float = setting(
        0.0, "label smoothing: share of the target distributed over all classes", low=0.0, high=0.9
    )
    class_weights: Literal["none", "balanced"] = setting("none", "weight of a sample by the rarity of its class")
    patience: int = setting(0, "early stopping: epochs without improvement on the validation split; 0: off", low=0)
    keep: Literal["accuracy", "loss"] = setting(
        "accuracy", "figure of the validation split by which the best epoch is kept; values have their loss alone"
    )
    average: float = setting(0.0, "decay of the moving average of the weights; 0: off", low=0.0, high=0.99999)
    clip_norm: float = setting(0.0, "largest norm of the gradient; 0: off", low=0.0)
    precision: Literal["float32", "mixed_bfloat16"] = setting("float32", "compute precision of training")


@dataclass(frozen=True)
class Adversarial:
    """How a generator and its discriminator are trained."""

    loss: Literal["hinge", "wgan-gp"] = setting("hinge", "hinge (arXiv:1705.02894) or wgan-gp (arXiv:1704.00028)")
    gradient_penalty: float = setting(10.0, "wgan-gp: weight of the penalty on the discriminator's slope", low=0.0)
    critic_rate: float = setting(1.0, "learning rate of the discriminator over the generator's", low=1e-3)
    critic_steps: int = setting(1, "steps of the discriminator for one of the generator; 5 with wgan-gp", low=1)
    label_weight: float = setting(0.0, "weight of the classification loss, if there are classes; 0: off", low=0.0)
    samples_every: int = setting(5, "epochs between grids of samples in the run's folder; 0: none", low=0)


@dataclass(frozen=True)
class Dqn:
    """Deep Q-learning; an epoch is `rounds` rounds of playing and training."""

    discount: float = setting(0.99, "discount: value of a reward one step later", low=0.0, high=1.0)
    double: bool = setting(
        True, "double Q-learning: the online network chooses the action that the target network evaluates"
    )
    n_step: int = setting(1, "rewards that are summed before the rest is estimated", low=1, high=100)
    priority: float = setting(0.0, "exponent of prioritized replay; 0: uniform", low=0.0, high=1.0)
    importance: float = setting(0.4, "exponent of its correction at the start; 1 at the end", low=0.0, high=1.0)
    memory: int = setting(50_000, "size of the replay memory, in transitions", low=1, high=100_000_000)
    warm_up: int = setting(1_000, "random steps before the first update", low=1)
    side_by_side: int = setting(8, "environments that run at once", low=1, high=1024)
    rounds: int = setting(10, "rounds per epoch; the network is evaluated after each epoch", low=1)
    play: int = setting(256, "environment steps per round, over all environments", low=1)
    updates: int = setting(128, "optimizer steps per round, after the environment steps", low=1)
    target_every: int = setting(128, "optimizer steps between updates of the target network", low=1)
    explore: float = setting(0.2, "share of the training over which exploration is reduced", low=0.0, high=1.0)
    epsilon: float = setting(0.04, "share of random actions after that", low=0.0, high=1.0)
    episodes: int = setting(20, "greedy episodes per evaluation", low=1, high=10_000)


@dataclass(frozen=True)
class Augmentation:
    """Deterministic augmentation: each view is a function of (sample, view, seed)."""

    views: int = setting(1, "number of views per sample, used in turn; 0: a new one every epoch", low=0)
    mixup: float = setting(0.0, "alpha of mixup (arXiv:1710.09412); 0: off", low=0.0)


@dataclass(frozen=True)
class Augment(Augmentation):
    """Augmentation of images."""

    flip: bool = setting(False, "flip horizontally, every second view")
    rotate: float = setting(0.0, "largest rotation, in degrees", low=0.0, high=180.0)
    translate: float = setting(0.0, "largest shift, as a share of height and width", low=0.0, high=0.5)
    zoom: float = setting(0.0, "largest zoom in or out, as a share", low=0.0, high=0.9)
    contrast: float = setting(0.0, "largest change of contrast, as a share", low=0.0, high=0.9)
    cutmix: float = setting(0.0, "alpha of cutmix (arXiv:1905.04899); 0: off", low=0.0)
    noise: float = setting(
        0.0,
        "Gaussian noise: standard deviation, as a share of the range of pixels, or of that of the column",
        low=0.0,
        high=2.0,
    )


@dataclass(frozen=True)
class SoundAugment(Augmentation):
    """Augmentation of recordings. Settings in Hz and dB simulate microphones and rooms, `speed` other speakers."""

    shift: float = setting(0.0, "largest shift, as a share of the length", low=0.0, high=0.5)
    speed: float = setting(0.0, "largest change of speed and pitch, as a share", low=0.0, high=0.5)
    noise: float = setting(0.0, "loudest white noise, as a share of the peak", low=0.0, high=1.0)
    tilt: float = setting(0.0, "largest gain of a random equalizer, in dB", low=0.0, high=40.0)
    time_mask: float = setting(0.0, "longest masked time span, as a share (arXiv:1904.08779)", low=0.0, high=0.5)
    band_mask: float = setting(0.0, "widest masked frequency band, as a share of the spectrum", low=0.0, high=0.5)


@dataclass(frozen=True)
class Calibration:
    """The samples that determine the ranges of an int8 model."""

    samples: int = setting(500, "number of training samples, stratified and seeded", low=1, high=100_000)


@dataclass(frozen=True)
class PruneAndQuantize:
    """The recipe's compression plan, used by `dltk compress` without --step."""

    steps: tuple[str, ...] = setting(("quantize:precision=int8",), "steps in order, written as for --step")
