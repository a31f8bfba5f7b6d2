"""Views are functions of (sample, view, seed), whatever batch they are asked for in."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.data.dataset import Split
from dltk.recipe import Augment
from dltk.training.views import counter
from dltk.training.views.base import PLAIN
from dltk.training.views.factory import views_of
from training import kit

ALL = Augment(views=0, flip=True, rotate=20.0, translate=0.2, zoom=0.2, contrast=0.3)


def _views(augment, seed=1):
    return views_of(kit.dataset().train, augment, seed=seed, classes=3)


@pytest.mark.parametrize("extra", [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_a_view_does_not_depend_on_its_batch(extra):
    views = _views(Augment(**{**ALL.__dict__, **extra}))
    positions = np.arange(90)
    shuffled = np.random.Generator(np.random.PCG64(0)).permutation(90)
    for view in (0, 1):
        together, targets = views.take(positions, view), views.targets(positions, view)
        assert together.dtype == np.uint8
        assert together.shape == (90, 12, 12, 3)
        assert np.array_equal(views.take(shuffled, view), together[shuffled])
        assert np.array_equal(views.targets(shuffled, view), targets[shuffled])
        alone = np.concatenate([views.take(np.array([place]), view) for place in (3, 89)])
        assert np.array_equal(alone, together[[3, 89]])


def test_a_view_depends_on_sample_view_and_seed():
    positions = np.arange(90)
    views = _views(ALL)
    shown = [views.take(positions, 0), views.take(positions, 1), _views(ALL, seed=2).take(positions, 0)]
    assert all((one != other).any() for one in shown for other in shown if one is not other)
    assert np.array_equal(shown[0], _views(ALL).take(positions, 0))


def test_ids_not_positions_name_a_sample():
    whole = kit.dataset().train
    part = Split(whole.store, whole.rows[40:], whole.targets[40:])
    shown = views_of(part, ALL, seed=1).take(np.arange(5), 3)
    assert np.array_equal(shown, views_of(whole, ALL, seed=1).take(np.arange(40, 45), 3))


def test_flip_mirrors_every_second_view():
    views, plain = _views(Augment(views=0, flip=True)), kit.dataset().train.take(np.arange(90))
    shown = [views.take(np.arange(90), view) for view in range(4)]
    mirrored = [(images == plain[:, :, ::-1]).all((1, 2, 3)) for images in shown]
    assert np.array_equal(mirrored[0], mirrored[2])
    assert np.array_equal(mirrored[0], ~mirrored[1])
    assert 20 < mirrored[0].sum() < 70  # half of 90, give or take 5 standard deviations
    assert all(((images == plain).all((1, 2, 3)) | there).all() for images, there in zip(shown, mirrored, strict=True))


def test_a_turn_moves_a_dot_where_geometry_says():
    """A quarter turn about the middle; bilinear sampling at whole pixels is exact but for rounding."""
    store = np.zeros((200, 9, 9, 3), np.uint8)
    store[:, 4, 7] = 255
    split = Split(store, np.arange(200), np.zeros(200, np.int64))
    shown = views_of(split, Augment(views=0, rotate=180.0), seed=0).take(np.arange(200), 0)[..., 0]
    rows, columns = np.unravel_index(shown.reshape(200, -1).argmax(1), (9, 9))
    radius = np.hypot(rows - 4, columns - 4)
    assert radius == pytest.approx(np.full(200, 3.0), abs=0.71)  # half a pixel's diagonal
    assert len({(row, column) for row, column in zip(rows, columns, strict=True)}) > 12  # all around


def test_mixup_blends_targets_as_it_blends_images():
    views = _views(Augment(views=0, mixup=0.4))
    targets, plain = views.targets(np.arange(90), 0), kit.dataset().train.targets
    assert targets.dtype == np.float32
    assert targets.sum(1) == pytest.approx(np.ones(90), abs=1e-6)
    assert (targets[np.arange(90), plain] > 0).all()
    assert (targets.max(1) < 1).any()


def test_cutmix_weights_targets_by_area():
    store = np.repeat(np.array([0, 200], np.uint8), 50)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    split = Split(store, np.arange(100), np.repeat([0, 1], 50))
    views = views_of(split, Augment(views=0, cutmix=1.0), seed=4, classes=2)
    bright = (views.take(np.arange(100), 0)[..., 0] == 200).mean((1, 2))
    assert views.targets(np.arange(100), 0)[:, 1] == pytest.approx(bright, abs=1e-6)  # float32
    assert 0.2 < bright.mean() < 0.8


def test_few_views_come_in_turn_and_none_means_plain():
    assert [_views(Augment(views=2, flip=True)).of_epoch(epoch) for epoch in range(4)] == [0, 1, 0, 1]
    assert [_views(Augment(views=0, flip=True)).of_epoch(epoch) for epoch in range(3)] == [0, 1, 2]
    for views in (_views(None), _views(Augment(views=5))):
        assert views.of_epoch(3) == PLAIN
        assert views.countable
        assert np.array_equal(views.take(np.arange(9), PLAIN), kit.dataset().train.take(np.arange(9)))
    assert not _views(Augment(views=0, flip=True)).countable


def test_series_are_never_augmented():
    split = Split(np.zeros((6, 4, 2), np.float32), np.arange(6), np.zeros((6, 1), np.float32))
    assert views_of(split, ALL, seed=0).of_epoch(5) == PLAIN


def test_counter_numbers_are_uniform_and_unrelated():
    ids = np.arange(20_000)
    numbers = [counter.uniform(7, ids, view, slot) for view in (0, 1) for slot in (0, 1)]
    for found in numbers:
        counts = np.histogram(found, 20, (0, 1))[0]
        assert np.square(counts - 1000).sum() / 1000 < 45.3  # chi-squared, 19 degrees of freedom, p = 0.0006
    # Standard error of a correlation of 20,000 pairs: 0.007; five of them.
    assert np.abs(np.corrcoef(numbers) - np.eye(4)).max() < 0.036


def _masked(augment):
    """Views of 60 pictures whose pixels say their class: 0 dark, 1 bright; and the split."""
    draw = np.random.Generator(np.random.PCG64(1))
    masks = np.repeat(np.repeat(draw.integers(0, 2, (60, 4, 4)), 4, axis=1), 4, axis=2).astype(np.uint8)
    split = Split(np.repeat(masks[..., None] * np.uint8(200), 3, axis=3), np.arange(60), masks)
    return views_of(split, augment, seed=3, classes=2), split


@pytest.mark.parametrize(
    ("augment", "share"),
    [
        (Augment(views=0, flip=True), 1.0),
        (Augment(views=0, flip=True, cutmix=1.0), 1.0),
        # Between pixels a picture is blended and a mask is not: along the edges of 4 x 4 patches they may differ.
        (Augment(views=0, flip=True, translate=0.3, rotate=10.0, zoom=0.2), 0.9),
    ],
)
def test_a_class_a_pixel_moves_with_its_pixel(augment, share):
    views, split = _masked(augment)
    positions = np.arange(60)
    for view in (0, 1):
        masks = views.targets(positions, view)
        assert masks.dtype == np.uint8
        assert ((views.take(positions, view)[..., 0] > 100) == masks).mean() >= share
        assert np.array_equal(views.targets(positions[::-1], view), masks[::-1])
    assert (masks != split.targets).any()
    assert np.array_equal(views.targets(positions, PLAIN), split.targets)


def test_mixup_has_no_meaning_for_a_class_a_pixel():
    with pytest.raises(InputError, match=r"augment\.mixup: needs one label per image"):
        _masked(Augment(mixup=0.2))
