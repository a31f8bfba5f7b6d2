"""The segmentation recipe's phase by the number of images; no model is built."""

from __future__ import annotations

from importlib import import_module

import pytest

from dltk.recipe import Contract
from dltk.recipe.load import load, resolve

MODULE = import_module("dltk.recipes.segmentation")


def phase(samples, *pairs):
    settings = resolve(load("segmentation"), pairs)
    facts = {} if samples is None else {"samples": samples}
    return MODULE._fit(settings.fit, Contract({}, {}, facts=facts))


@pytest.mark.parametrize("samples", [1, 77, 399])
def test_few_images_have_small_batches_and_a_note_that_says_so(samples):
    fit, notes = phase(samples)
    assert fit.batch_size == 4
    assert notes["fit"].startswith(f"batches of 4, {samples} training images; --set fit.by_count=false")
    assert phase(samples, "fit.by_count=false") == (phase(400)[0], {})


@pytest.mark.parametrize(("samples", "pairs"), [(400, ()), (None, ()), (77, ("fit.batch_size=8",))])
def test_many_images_and_a_batch_size_that_is_set_stay(samples, pairs):
    fit, notes = phase(samples, *pairs)
    assert fit.batch_size == (8 if pairs else 16)
    assert notes == {}
