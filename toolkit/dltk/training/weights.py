"""Reading, writing and averaging a model's variables as plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.models.backend import tf
from dltk.training.checkpoint import AGAIN
from dltk.training.optimizers import is_keras3
from dltk.training.views.counter import derive

__all__ = ["Average", "is_kernel", "to_arrays", "assign_values", "seed_dropout", "snapshot", "from_arrays"]


def snapshot(variables: Iterable[Any]) -> list[NDArray[Any]]:
    """Copies of the values, each in the shape and dtype of its variable."""
    # By way of a tensor: NumPy warns when it is given a Keras variable. `numpy()` may share memory, hence the copy.
    return [np.array(tf.convert_to_tensor(variable).numpy()) for variable in variables]


def assign_values(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Assign `values` in order; each has the shape of its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def to_arrays(group: str, variables: Iterable[Any]) -> dict[str, NDArray[Any]]:
    """Copies under "group/0000", "group/0001" ..., for a checkpoint, each in the shape of its variable."""
    return {f"{group}/{number:04d}": value for number, value in enumerate(snapshot(variables))}


def from_arrays(group: str, state: Mapping[str, NDArray[Any]], like: Sequence[Any]) -> list[NDArray[Any]]:
    """The arrays that `to_arrays` wrote.

    Raises:
        InputError: if number or shapes are not those of `like`.
    """
    found = [state[name] for name in sorted(name for name in state if name.startswith(f"{group}/"))]
    if [array.shape for array in found] != [tuple(variable.shape) for variable in like]:
        rule = f"must hold {len(like)} arrays of {group!r} that fit this model"
        raise InputError("checkpoint", rule, f"{len(found)} arrays", AGAIN)
    return found


def is_kernel(variable: Any) -> bool:
    """Whether L2 applies: kernels and embeddings, no biases and no batch norm."""
    name = str(getattr(variable, "path", variable.name)).rpartition("/")[2].partition(":")[0]
    return name.endswith("kernel") or name == "embeddings"


def seed_dropout(model: Any, *parts: Any) -> None:
    """Put every random layer of a Keras 3 `model` at the start of a stream of its own, a function of `parts`."""
    if not is_keras3(model):
        return
    for number, variable in enumerate(model.non_trainable_variables):
        if "seed_generator_state" in variable.path:
            drawn = derive(*parts, number)
            variable.assign(np.array([drawn & 0xFFFFFFFF, drawn >> 32], np.uint32))


class Average:
    """An exponential moving average of variables, with a short memory at first (decay (1 + t) / (10 + t))."""

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self._sources, self._decay = list(variables), decay
        self.values = [tf.Variable(tf.convert_to_tensor(variable), trainable=False) for variable in variables]
        self.count = tf.Variable(0.0, trainable=False)

    @property
    def variables(self) -> list[Any]:
        """All that a checkpoint must hold."""
        return [*self.values, self.count]

    def update(self) -> None:
        """Take the sources' present values in; may be traced."""
        decay = tf.minimum(self._decay, (1.0 + self.count) / (10.0 + self.count))
        self.count.assign_add(1.0)
        for value, source in zip(self.values, self._sources, strict=True):
            value.assign(value * decay + tf.convert_to_tensor(source) * (1.0 - decay))
