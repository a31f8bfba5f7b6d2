"""The integers that kernels become."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.quantization.codes import distinct_codes, int8_codes, is_clustered, largest, per_channel_to_kernel, sparsity
from dltk.twin.graph import Layer

RNG = np.random.default_rng(0)


def conv(kernel, kind="Conv2D"):
    return Layer("conv", kind, {}, (np.asarray(kernel, np.float32),))


def on_grid(values, shape=(3, 3, 8, 16)):
    """A kernel of steps out of `values`, each channel on a scale of its own, its largest weight the last step."""
    steps = RNG.choice(values, shape).astype(np.float32)
    steps[0, 0, 0] = 127
    return steps, steps * np.exp2(RNG.uniform(-9, -5, shape[-1])).astype(np.float32)


def test_steps_come_back():
    steps, kernel = on_grid(np.arange(-127, 128))
    assert np.array_equal(int8_codes(conv(kernel)), steps)
    assert int8_codes(conv(kernel)).dtype == np.int8


def test_few_values_are_clusters_whatever_their_scale():
    _, kernel = on_grid([-90, 0, 31])
    assert distinct_codes(conv(kernel)) == 4  # and 127, which sets the scale
    assert is_clustered(conv(kernel))


def test_ordinary_weights_lie_between_steps():
    layer = conv(RNG.normal(size=(3, 3, 8, 16)))
    assert int8_codes(layer) is None
    assert distinct_codes(layer) == 0
    assert not is_clustered(layer)


def test_many_values_are_no_clusters():
    _, kernel = on_grid(np.arange(-127, 128))
    assert distinct_codes(conv(kernel)) > 64
    assert not is_clustered(conv(kernel))


def test_small_kernels_count_for_nothing():
    assert not is_clustered(conv(on_grid([5], (1, 1, 8, 16))[1]))


def test_zeros_are_counted():
    kernel = np.ones((1, 1, 4, 5), np.float32)
    kernel[..., :1] = 0
    assert sparsity(conv(kernel)) == pytest.approx(0.2)
    assert np.array_equal(np.unique(int8_codes(conv(kernel))), [0, 127])


def test_what_has_no_kernel_has_no_codes():
    layer = Layer("relu", "ReLU", {})
    assert (int8_codes(layer), distinct_codes(layer), sparsity(layer)) == (None, 0, 0.0)


def test_a_scale_belongs_to_each_output_channel():
    kernel = RNG.normal(size=(3, 3, 8, 16)).astype(np.float32)
    for kind, channels in (("Conv2D", 16), ("Conv2DTranspose", 8), ("DepthwiseConv2D", 8 * 16)):
        layer = conv(kernel, kind)
        scales = largest(layer)
        assert scales.shape == (channels,)
        assert np.abs(kernel / per_channel_to_kernel(layer, scales)).max() == 1


def test_fewer_levels():
    steps = RNG.integers(-63, 64, (3, 3, 8, 16)).astype(np.float32)
    steps[0, 0, 0] = 63
    assert np.array_equal(int8_codes(conv(steps * 0.01), levels=63), steps)
