"""A tf_keras layer that computes with some of its weights at zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.twin.layers import KernelWrapper

__all__ = ["Masked"]


class Masked(KernelWrapper):
    """A layer whose kernel is multiplied by a mask; what is masked keeps its value and may come back."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer, name=f"masked_{layer.name}")

    def build(self, shape: Any) -> None:
        """Make the layer's own weights, and the mask: ones."""
        super().build(shape)
        self.mask = self.add_weight(name="mask", shape=self.variable.shape, initializer="ones", trainable=False)

    def kernel_value(self) -> Any:
        """The kernel with zeros where the mask has them."""
        return self.variable * self.mask

    def values(self) -> NDArray[np.float32]:
        """The kernel, unmasked, in the shape of the layer's own."""
        return np.asarray(self.variable.numpy())

    def apply(self) -> None:
        """Put the mask's zeros into the kernel."""
        self.variable.assign(self.kernel_value())
