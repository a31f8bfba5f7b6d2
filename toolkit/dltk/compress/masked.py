"""A tf_keras layer that computes with some of its weights at zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

__all__ = ["Masked"]


class Masked(tf_keras.layers.Wrapper):
    """A layer whose kernel is multiplied by a mask; what is masked keeps its value and may come back."""

    def __init__(self, layer: Any, kernel: str = "kernel", **settings: Any) -> None:
        super().__init__(layer, name=f"masked_{layer.name}", **settings)
        self._kernel = kernel

    def build(self, shape: Any) -> None:
        """Make the layer's own weights, and the mask: ones."""
        super().build(shape)
        shape = getattr(self.layer, self._kernel).shape
        self.mask = self.add_weight(name="mask", shape=shape, initializer="ones", trainable=False)

    def call(self, x: Any) -> Any:
        """The layer on its masked kernel."""
        inside: dict[str, Any] = self.layer.__dict__  # past Keras' tracking, which would take the tensor for a weight
        kernel = inside[self._kernel]
        inside[self._kernel] = kernel * self.mask
        try:
            return self.layer.call(x)
        finally:
            inside[self._kernel] = kernel

    def values(self) -> NDArray[np.float32]:
        """The kernel, unmasked."""
        return np.asarray(getattr(self.layer, self._kernel).numpy())

    def apply(self) -> None:
        """Put the mask's zeros into the kernel."""
        kernel = getattr(self.layer, self._kernel)
        kernel.assign(kernel * self.mask)
