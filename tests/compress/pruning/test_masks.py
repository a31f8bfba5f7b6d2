"""Masks keep the largest weights, in the number and the pattern that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

import small
from dltk.base.errors import InputError
from dltk.compress.pruning.masks import Pattern, magnitude_masks

RNG = np.random.default_rng(0)
KERNELS = {
    "first": RNG.normal(size=(3, 3, 8, 16)).astype(np.float32),
    "second": 100 * RNG.normal(size=(64, 10)).astype(np.float32),
}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9])
def test_the_smallest_of_each_kernel_go(share):
    for name, mask in magnitude_masks(KERNELS, share).items():
        kernel = KERNELS[name]
        assert int(mask.sum()) == round(kernel.size * (1 - share))
        gone, kept = np.abs(kernel)[mask == 0], np.abs(kernel)[mask == 1]
        assert not gone.size or gone.max() <= kept.min()


def test_over_all_kernels_the_total_is_kept_and_no_kernel_is_emptied():
    """Plain magnitudes would empty the first kernel, whose weights are a hundred times smaller."""
    masks = magnitude_masks(KERNELS, 0.8, scope="global")
    total = sum(kernel.size for kernel in KERNELS.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(total * 0.2)
    shares = {name: mask.mean() for name, mask in masks.items()}
    assert min(shares.values()) > 0.05
    assert shares["first"] != pytest.approx(shares["second"], abs=1e-3)


def test_two_of_every_four_inputs_stay_and_they_are_the_largest():
    for name, mask in magnitude_masks(KERNELS, 0.5, pattern=Pattern.parse("2:4", "")).items():
        inputs = np.moveaxis(mask, -2, -1).reshape(-1, 4)
        assert (inputs.sum(1) == 2).all()
        values = np.abs(np.moveaxis(KERNELS[name], -2, -1).reshape(-1, 4))
        assert (np.where(inputs == 1, values, np.inf).min(1) >= np.where(inputs == 0, values, -np.inf).max(1)).all()


def test_blocks_of_inputs_stay_or_go_together():
    for mask in magnitude_masks(KERNELS, 0.5, pattern=Pattern.parse("x4", "")).values():
        blocks = np.moveaxis(mask, -2, -1).reshape(-1, 4)
        assert set(blocks.sum(1)) <= {0.0, 4.0}
        assert mask.mean() == pytest.approx(0.5, abs=1 / blocks.shape[0])


@pytest.mark.parametrize("text", ["4:2", "0:4", "x1", "x", "block", "2:4:8", ""])
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(InputError, match="N:M"):
        Pattern.parse(text, "--step prune:pattern=")


@pytest.mark.filterwarnings(*[mark.args[0] for mark in small.QUIET])
@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize(("pattern", "theirs"), [("free", {}), ("2:4", {"sparsity_m_by_n": (2, 4)})])
def test_a_kernel_loses_the_weights_that_tfmot_would_take(kernel, pattern, theirs):
    """The mask of tfmot's own wrapper, at one point of its schedule."""
    import tensorflow as tf

    from dltk.compress.pruning.schedule import load_tfmot

    sparsity = load_tfmot().sparsity.keras
    import tf_keras

    values, share = KERNELS[kernel], 0.5 if theirs else 0.6
    *_, inputs, outputs = values.shape
    layer = tf_keras.layers.Dense(outputs) if values.ndim == 2 else tf_keras.layers.Conv2D(outputs, values.shape[:2])
    schedule = sparsity.ConstantSparsity(share, begin_step=0, frequency=1)
    wrapper = sparsity.prune_low_magnitude(layer, pruning_schedule=schedule, **theirs)
    wrapper.build((None, inputs) if values.ndim == 2 else (None, 8, 8, inputs))
    wrapper.set_weights([values, np.zeros(outputs, np.float32)])
    wrapper.pruning_step.assign(tf.constant(1, tf.int64))
    wrapper.pruning_obj.conditional_mask_update()
    ours = magnitude_masks({"kernel": values}, share, pattern=Pattern.parse(pattern, "pattern"))
    assert np.array_equal(wrapper.pruning_vars[0][1].numpy(), ours["kernel"])
