"""Pixels of no class: they change no loss, no gradient and no figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk.edge.sources.masks import IGNORED
from dltk.models.backend import tf
from dltk.recipe import Fit
from dltk.training.evaluation.pixels import pixels_report
from dltk.training.losses import objective
from dltk.training.selection import validation_figures
from edge.signatures import SEGMENTATION


@pytest.fixture
def targets():
    found = np.random.default_rng(0).integers(0, 3, (2, 4, 6)).astype(np.uint8)
    found[0, :2], found[1, 3] = IGNORED, IGNORED
    return found


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_ignored_pixels_have_no_gradient(targets, weights):
    goal = objective(SEGMENTATION, targets, replace(Fit(), class_weights=weights, label_smoothing=0.1))
    logits = tf.Variable(np.random.default_rng(1).normal(size=(2, 4, 6, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        losses = goal.losses(goal.logits(logits), goal.encode(tf.constant(targets)))
    moved = np.abs(tape.gradient(losses, logits).numpy()).max(axis=-1) > 0
    assert np.array_equal(moved, targets != IGNORED)


def test_rare_classes_are_counted_without_ignored_pixels(targets):
    fit = replace(Fit(), class_weights="balanced")
    known = targets[targets != IGNORED]
    ours, theirs = (objective(SEGMENTATION, each, fit) for each in (targets, known[None, None]))
    logits = tf.constant(np.random.default_rng(1).normal(size=(1, 1, 3, 3)).astype(np.float32))
    one = tf.constant(np.array([[[0, 1, 2]]], np.uint8))
    np.testing.assert_array_equal(ours.losses(logits, ours.encode(one)), theirs.losses(logits, theirs.encode(one)))


def test_ignored_pixels_are_in_no_figure(targets):
    outputs = np.eye(3, dtype=np.float32)[np.where(targets == IGNORED, 1, targets)]
    found = pixels_report(outputs, targets, SEGMENTATION)
    assert (found["mean_iou"], found["pixel_accuracy"]) == (1.0, 1.0)
    assert sum(row["pixels"] for row in found["parts"]) == int((targets != IGNORED).sum())
    goal = objective(SEGMENTATION, targets, Fit())
    figures = validation_figures(lambda given: given, goal, [([outputs], targets)])
    assert figures["validation_accuracy"] == 1.0
