"""Baselines of a finished run: a fault in them costs no trained model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk.data.dataset import Split
from dltk.workflows.finish import _baselines


class Full(Split):
    def take(self, positions):
        raise MemoryError


def segments(kind):
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (9, 8, 8))
    images = (masks[..., None] * 200 + np.zeros(3)).astype(np.uint8)
    train, validation, test = (kind(images, rows, masks[rows]) for rows in np.split(np.arange(9), 3))
    return SimpleNamespace(train=train, validation=validation, test=test, labels=("a", "b"))


@pytest.mark.parametrize(("kind", "scores", "lines"), [(Split, [1.0], 0), (Full, [], 1)])
def test_what_they_cannot_do_is_a_warning(kind, scores, lines):
    warned = []
    found = _baselines(SimpleNamespace(name="segmentation"), segments(kind), SimpleNamespace(warn=warned.append))
    assert [row["score"] for row in found.get("rows", ())][1:] == scores
    assert len(warned) == lines
    assert all("MemoryError" in line for line in warned)
