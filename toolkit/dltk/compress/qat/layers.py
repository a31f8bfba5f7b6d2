"""Training on what an int8 file can hold: kernels on their grids, activations on theirs, gradients passed straight on.

Rounding has no useful gradient; the straight-through estimator takes it as the identity (Bengio et al. 2013,
arXiv:1308.3432; for whole networks Jacob et al. 2018, arXiv:1712.05877). A kernel may also keep the zeros of pruning
and a codebook: a few values that all its channels share, in steps of each channel's scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from dltk.compress.qat.codebook import FIXED_CODES, KernelConstraint
from dltk.quantization.plan import Affine8, affine8
from dltk.quantization.shared_ranges import shared_ranges
from dltk.twin.graph import Graph
from dltk.twin.layers import KernelWrapper
from dltk.twin.table import row

__all__ = ["ActivationGrids", "QuantizedKernel", "trained_weights", "kernel_wrapper"]

_STEPS = 127.0
_KERNELS = {"Depthwise": "depthwise_kernel", "Separable": "pointwise_kernel"}  # start of the kind -> attribute
# Scales with few significant bits leave bytes of zeros in the file, which compress: float32 numbers of 8 bits for
# weights, of 6 for activations, so that their products, the scales of biases, have 14.
_WEIGHT_BITS, _ACTIVATION_BITS = 8, 6


class QuantizedKernel(KernelWrapper):
    """A layer that computes with its kernel in `form`; the kernel itself is trained through it."""

    def __init__(self, layer: Any, form: KernelConstraint, kernel: str) -> None:
        super().__init__(layer, kernel, name=f"shaped_{layer.name}")
        self._form = form
        self._mask = None if form.mask is None else tf.constant(form.mask)

    def build(self, shape: Any) -> None:
        """Make the layer's own weights, and the codebook's."""
        super().build(shape)
        if self._form.codebook is not None:
            start = np.asarray(self._form.codebook, np.float32) / _STEPS
            self.codes = self.add_weight(
                name="codes", shape=start.shape, initializer=tf_keras.initializers.Constant(start)
            )

    def kernel_value(self) -> Any:
        """The kernel as the file holds it, with straight-through gradients."""
        kernel = tf.convert_to_tensor(self.variable)
        if self._mask is not None:
            kernel = kernel * self._mask
        largest = tf.reduce_max(tf.abs(kernel), axis=self._form.axes, keepdims=True)
        largest, fixed = tf.stop_gradient(largest), tf.stop_gradient(kernel)
        scale = _few_bits(tf.maximum(largest, 1e-12) / _STEPS, _WEIGHT_BITS)
        # The largest weight of a channel is the last step, so that its scale can be read off the kernel again.
        steps = tf.where(tf.abs(fixed) < largest, tf.round(fixed / scale), tf.sign(fixed) * _STEPS)
        if self._form.codebook is None:
            return kernel + tf.stop_gradient(steps * scale - kernel)
        values = self._from_codebook(steps)
        # Forward: the code times its scale. Backward: to the kernel as if it were that, and to the code.
        return kernel + values * scale - tf.stop_gradient(kernel)

    def _from_codebook(self, steps: Any) -> Any:
        free = tf.clip_by_value(self.codes * _STEPS, -_STEPS, _STEPS)
        free = free + tf.stop_gradient(tf.round(free) - free)
        codes = tf.concat([free, tf.constant(FIXED_CODES)], 0)
        grid = tf.range(-_STEPS, _STEPS + 1)
        nearest = tf.argmin(tf.abs(grid[:, None] - tf.stop_gradient(codes)[None, :]), axis=1)
        return tf.gather(codes, tf.gather(nearest, tf.cast(steps + _STEPS, tf.int32)))


def _few_bits(values: Any, bits: int) -> Any:
    """Positive float32 `values`, each raised to the next number with `bits` significant ones."""
    rest = (1 << (24 - bits)) - 1
    return tf.bitcast(tf.bitwise.bitwise_and(tf.bitcast(values, tf.int32) + rest, ~rest), tf.float32)


class ActivationGrids:
    """Activations on grids that are trained: one per group of tensors with a shared range. A hook for
    `dltk.twin.build.build`.
    """

    def __init__(
        self, graph: Graph, grids: Mapping[str, Affine8], known: frozenset[str], keep: frozenset[str] = frozenset()
    ) -> None:
        """`known`: tensors whose range is given, not learnt: inputs with a stated range. `keep`: layers left float."""
        found = shared_ranges(graph, keep)
        self._grids, self._layers = grids, dict[str, _Grid]()
        self._group = {name: group for name, group in found.group.items() if name not in found.fixed}
        self._given = known | {name for name in grids if name in found.fixed}

    def __call__(self, name: str, tensor: Any) -> Any:
        """`tensor` on its grid, where it has one."""
        grid = self._grids.get(name)
        if grid is None:
            return tensor
        key = name if name in self._given else self._group[name]
        if key not in self._layers:
            self._layers[key] = _Grid(grid, learnt=name not in self._given, name=f"grid{len(self._layers)}")
        return self._layers[key](tensor)

    def learnt(self) -> dict[str, Affine8]:
        """Tensor -> grid, as training left them."""
        keys = {name: name if name in self._given else self._group[name] for name in self._grids}
        return {name: self._layers[key].grid() if key in self._layers else self._grids[name]
                for name, key in keys.items()}  # fmt: skip


class _Grid(tf_keras.layers.Layer):
    def __init__(self, grid: Affine8, *, learnt: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self._start, self._learnt = grid, learnt

    def build(self, shape: Any) -> None:
        # In shares of the range, so that one learning rate suits them all.
        self._width = self._start.high - self._start.low
        constant = tf_keras.initializers.Constant
        for name, value in (("low", self._start.low), ("high", self._start.high)):
            share = value / self._width
            setattr(self, name, self.add_weight(name=name, initializer=constant(share), trainable=self._learnt))

    def call(self, x: Any) -> Any:
        low, high = tf.minimum(self.low, 0.0) * self._width, tf.maximum(self.high, 0.0) * self._width
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=8)

    def grid(self) -> Affine8:
        if not self._learnt:
            return self._start
        fine = affine8(float(self.low) * self._width, float(self.high) * self._width)
        scale = float(_few_bits(tf.constant(fine.scale, tf.float32), _ACTIVATION_BITS))
        return Affine8(scale, int(np.clip(round(fine.zero_point * fine.scale / scale), 0, 255)))


def kernel_wrapper(
    graph: Graph, forms: Mapping[str, KernelConstraint], made: dict[str, Any]
) -> Callable[[str, Any], Any]:
    """A `wrap` for `dltk.twin.build.build` that shapes the layers in `forms`; `made` collects layer name -> layer."""

    def wrap(name: str, layer: Any) -> Any:
        if name in forms:
            kind = graph.layers[name].kind
            kernel = next((found for start, found in _KERNELS.items() if kind.startswith(start)), "kernel")
            layer = QuantizedKernel(layer, forms[name], kernel)
        made[name] = layer
        return layer

    return wrap


def trained_weights(graph: Graph, made: Mapping[str, Any]) -> dict[str, tuple[NDArray[Any], ...]]:
    """Layer -> its weights after training, in the layer's own shapes; kernels as the file holds them."""
    found = {}
    for name, layer in made.items():
        if not hasattr(layer, "get_weights") or not graph.layers[name].weights:
            continue
        bare = layer.layer if isinstance(layer, QuantizedKernel) else layer
        values = [np.asarray(value) for value in bare.get_weights()]
        if isinstance(layer, QuantizedKernel):
            index = row(graph.layers[name].kind, graph.layers[name].config).kernel or 0
            values[index] = layer.kernel_value().numpy()
        found[name] = tuple(values)
    return found
