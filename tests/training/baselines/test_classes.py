"""Baselines of images, masks, recordings and pairs: easy samples that one of them knows, and what has none."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from dltk.data.dataset import Split
from dltk.training.baselines import baselines_of
from dltk.training.baselines.images import gradients, small_pixels
from dltk.training.baselines.sounds import cepstra

RNG = np.random.default_rng(0)


def dataset(raws, targets, labels=(), **report):
    """60% of the samples to train on, 10% for validation, 30% to test."""
    bounds = [0, int(len(raws) * 0.6), int(len(raws) * 0.7), len(raws)]
    rows = [np.arange(low, high) for low, high in pairwise(bounds)]
    train, validation, test = (Split(raws, chosen, np.asarray(targets)[chosen]) for chosen in rows)
    return SimpleNamespace(train=train, validation=validation, test=test, labels=labels, report=report)


def scores(task, found):
    figures = baselines_of(task)(found)
    assert figures["higher_is_better"]
    return figures["metric"], {row["name"]: row["score"] for row in figures["rows"]}


def stripes(kinds, *, side=24):
    """Images with stripes across or down, at any place: no pixel alone shows which."""
    waves = 128 + 100 * np.sin(np.arange(side) / 1.5 + RNG.uniform(0, 6, (len(kinds), 1)))
    down = np.where(np.asarray(kinds)[:, None, None] > 0, waves[:, :, None], waves[:, None, :])
    return np.repeat(np.broadcast_to(down, (len(kinds), side, side))[..., None], 3, axis=-1).astype(np.uint8)


def test_colours_are_known_by_pixels_and_stripes_by_gradients():
    kinds = RNG.integers(0, 2, 200)
    bright = RNG.integers(0, 120, (200, 20, 30, 3)) + 100 * kinds[:, None, None, None]
    metric, found = scores("image-classification", dataset(bright.astype(np.uint8), kinds))
    assert metric == "accuracy"
    assert found["logistic regression on pixels"] == 1.0
    assert 0.3 < found["most frequent class"] < 0.7
    _, found = scores("image-classification", dataset(stripes(kinds), kinds))
    assert found["logistic regression on gradients"] == 1.0
    assert found["logistic regression on pixels"] < 0.9


def test_several_labels_must_all_be_right():
    kinds = RNG.integers(0, 2, (200, 2))
    left, right = (np.broadcast_to(kinds[:, number, None, None, None] * 200, (200, 16, 8, 3)) for number in (0, 1))
    images = np.concatenate([left, right], axis=2).astype(np.uint8)
    metric, found = scores("image-classification", dataset(images, kinds.astype(np.float32)))
    assert metric == "exact_match"
    assert found["logistic regression on pixels"] == 1.0
    assert found["most frequent class"] < 0.6


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (7, 50, 1), (16, 16, 3), (96, 96, 3)])
def test_features_of_images_of_any_size_are_finite(shape):
    images = RNG.integers(0, 256, (3, *shape), np.uint8)
    images[0] = 0
    pixels = small_pixels(images)
    assert pixels.shape == (3, min(16, shape[0]) * min(16, shape[1]) * shape[2])
    assert pixels[1].mean() == pytest.approx(images[1].mean() / 255, rel=0.1)  # areas differ by a row at most
    if min(shape[:2]) > 1:
        assert np.isfinite(gradients(images)).all()


def test_masks_of_colours_are_known_by_their_pixels_and_ignored_ones_are_left_out():
    masks = np.zeros((30, 16, 16), np.uint8)
    masks[:, 4:9, 5:12] = 1
    images = np.where(masks[..., None] > 0, [200, 40, 40], [60, 60, 60]) + RNG.integers(0, 20, (30, 16, 16, 3))
    masks[:, 0] = 255
    images[:, 0] = [200, 40, 40]  # would be the other class
    metric, found = scores("segmentation", dataset(images.astype(np.uint8), masks, ("wall", "sign")))
    assert metric == "mean_iou"
    assert found["classifier of pixels"] > 0.98
    assert found["most frequent class"] == pytest.approx(0.5 * (240 - 35) / 240)


def test_words_of_other_tones_are_known_by_cepstra():
    kinds, time = RNG.integers(0, 2, 120), np.arange(4000) / 8000
    tones = np.sin(2 * np.pi * (300 + 600 * kinds[:, None]) * time + RNG.uniform(0, 6, (120, 1)))
    loud = RNG.uniform(500, 20_000, (120, 1))
    sounds = (loud * (tones + RNG.normal(0, 0.1, tones.shape)) / 2).astype(np.int16)
    metric, found = scores("audio-keyword", dataset(sounds, kinds))
    assert metric == "accuracy"
    assert found["logistic regression"] == found["SVM"] == 1.0


@pytest.mark.parametrize("samples", [1, 100, 512, 700, 16_000])
def test_cepstra_of_recordings_of_any_length_are_finite(samples):
    sounds = RNG.integers(-30_000, 30_000, (3, samples)).astype(np.int16)
    sounds[0] = 0
    assert np.isfinite(cepstra(sounds)).all()


def test_texts_and_images_are_compared_alone():
    kinds = RNG.integers(0, 2, 150)
    raws = np.zeros(150, [("image", np.uint8, (8, 8, 3)), ("text", "S40")])
    raws["image"] = RNG.integers(0, 256, raws["image"].shape)
    texts = [f"{('bad', 'good')[kind]} lamp {RNG.integers(50)} €".encode() for kind in kinds]
    raws["text"] = [text[:-1] for text in texts]  # cut within a letter
    _, found = scores("image-text-classification", dataset(raws, kinds))
    assert found["logistic regression on the texts"] == 1.0
    assert found["logistic regression on the images"] < 0.8


@pytest.mark.parametrize("task", ["image-classification", "segmentation"])
def test_one_class_alone_has_no_baseline(task):
    images = RNG.integers(0, 256, (20, 8, 8, 3), np.uint8)
    targets = np.zeros((20, 8, 8) if task == "segmentation" else 20, np.int64)
    assert baselines_of(task)(dataset(images, targets, ("a", "b"))) == {}


def test_generated_images_have_no_baseline():
    assert baselines_of("generate") is None
