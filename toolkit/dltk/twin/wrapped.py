"""A tf_keras layer that computes with something made of its kernel: what steps train in place of the layer."""

from __future__ import annotations

from typing import Any

import tf_keras

__all__ = ["OnKernel"]


class OnKernel(tf_keras.layers.Wrapper):
    """Calls the layer inside with `made()` in place of its kernel; the kernel stays the layer's variable.

    `dltk.twin.build` puts the graph's weights into the layer inside.
    """

    def __init__(self, layer: Any, kernel: str = "kernel", **settings: Any) -> None:
        """`kernel`: the layer's attribute."""
        super().__init__(layer, **settings)
        self._kernel = kernel

    @property
    def variable(self) -> Any:
        """The kernel's variable."""
        return self.layer.__dict__[self._kernel]

    def made(self) -> Any:
        """What the layer computes with."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        """The layer on what is made of its kernel."""
        inside: dict[str, Any] = self.layer.__dict__  # past Keras' tracking, which would take the tensor for a weight
        kernel = inside[self._kernel]
        inside[self._kernel] = self.made()
        try:
            return self.layer.call(x)
        finally:
            inside[self._kernel] = kernel
