"""Segmentation: masks out of scores, and scores of masks."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.families import family
from edge.signatures import SEGMENTATION


def _scores(masks):
    """Scores (n, height, width, 3) whose highest is at the class of each pixel."""
    return {"logits": np.eye(3, dtype=np.float32)[np.asarray(masks)]}


def test_a_mask_says_what_share_each_class_has():
    kind, mask = family("segmentation"), np.zeros((4, 6), np.uint8)
    mask[:2, :3] = 2
    (answer,) = kind.predictions(_scores([mask]), SEGMENTATION, top=1)
    assert answer.shares() == {"ground": 0.75, "fruit": 0.25}
    assert kind.as_text(answer) == " 75.00%  ground\n 25.00%  fruit"
    assert kind.as_json(answer)["classes"] == mask.tolist()
    with pytest.raises(InputError, match="labels: must be 3"):
        kind.predictions(_scores([mask]), replace(SEGMENTATION, labels=("one",)), top=1)
    with pytest.raises(InputError, match="outputs: must be"):
        kind.predictions({"logits": np.zeros((1, 3))}, SEGMENTATION, top=1)


def test_masks_become_a_png_that_training_would_take(tmp_path):
    image = pytest.importorskip("PIL.Image")
    kind, masks = family("segmentation"), np.arange(2 * 24).reshape(2, 4, 6) % 3
    suffix, data = kind.as_file(kind.predictions(_scores(masks), SEGMENTATION, top=1))
    assert suffix == ".png"
    with image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "P"
        assert picture.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]  # the first colours of PASCAL VOC
        grid = np.asarray(picture)
    assert np.array_equal(grid, np.concatenate(masks, axis=1))


def test_pixels_are_scored_a_picture():
    kind, wanted = family("segmentation"), np.zeros((2, 4, 6), np.int64)
    found = wanted.copy()
    found[0, :2] = 1  # half of the first picture is taken for another class
    by_name = {metric.name: metric.scores(_scores(found), wanted, SEGMENTATION).tolist() for metric in kind.metrics}
    assert by_name["pixel_accuracy"] == [0.5, 1.0]
    assert by_name["mean_iou_per_image"] == [0.25, 1.0]  # of ground 12 of 24 pixels, of the other none of 12


def test_labelled_masks_must_fit_the_model(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    image.fromarray(np.full((8, 12, 3), 9, np.uint8)).save(tmp_path / "images/a.png")
    image.fromarray(np.repeat(np.arange(3, dtype=np.uint8), 32).reshape(8, 12)).save(tmp_path / "masks/a.png")
    kind = family("segmentation")
    found = kind.labelled(tmp_path, SEGMENTATION)
    assert (found.raws.shape, found.targets.shape) == ((1, 4, 6, 3), (1, 4, 6))
    assert set(np.unique(found.targets)) == {0, 1, 2}
    (tmp_path / "labels.txt").write_text("ground\nfruit\nleaf\n")
    with pytest.raises(InputError, match=r"labels\.txt: must be the model's labels in their order: ground, leaf"):
        kind.labelled(tmp_path, SEGMENTATION)
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(InputError, match=r"a\.png: class numbers must lie in 0\.\.1; received 2"):
        kind.labelled(tmp_path, replace(SEGMENTATION, labels=("ground", "leaf")))


def test_ignored_pixels_are_in_no_metric():
    kind, wanted = family("segmentation"), np.zeros((2, 4, 6), np.uint8)
    wanted[0, 2:], wanted[1] = 255, 255
    found = np.zeros((2, 4, 6), np.int64)
    found[0, 0], found[0, 2:], found[1] = 1, 2, 2  # a quarter wrong; what is ignored is all wrong
    by_name = {metric.name: metric.scores(_scores(found), wanted, SEGMENTATION).tolist() for metric in kind.metrics}
    assert by_name["pixel_accuracy"] == [0.5, 0.0]  # no pixel of the second counts: data without a class is left out
    assert by_name["mean_iou_per_image"] == [0.25, 1.0]


def test_labelled_masks_are_read_as_in_training(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    colours = np.array([(0, 0, 0), (0, 0, 9), (9, 0, 0), (9, 9, 9)], np.uint8)
    for name, numbers in (("a", np.repeat(np.arange(4), 24).reshape(8, 12)), ("b", np.full((8, 12), 3))):
        image.fromarray(np.full((8, 12, 3), 9, np.uint8)).save(tmp_path / f"images/{name}.png")
        image.fromarray(colours[numbers]).save(tmp_path / f"masks/{name}.png")
    op = {"op": "masks", "by": "colour", "classes": [[0, 2], [9, 1], [0x090000, 0], [0x090909, 255]]}
    signature = replace(SEGMENTATION, preprocess=(op, *SEGMENTATION.preprocess))
    require_consistent(signature)
    found = family("segmentation").labelled(tmp_path, signature)
    assert found.targets[0, :, 0].tolist() == [2, 1, 0, 255]
    assert found.skipped == (("images/b.png", "all pixels are ignored"),)


@pytest.mark.parametrize(
    "classes", [[], [[0]], [[0, 256]], [[-1, 0]], [[0, 1], [0, 2]], [[0, True]], [[1 << 24, 0]], "x", [[0.0, 1]], None]
)
def test_a_reading_of_masks_that_cannot_be_is_refused(classes):
    op = {"op": "masks", "by": "number", "classes": classes}
    with pytest.raises(InputError, match="preprocess: masks: classes: must be up to 512 pairs"):
        require_consistent(replace(SEGMENTATION, preprocess=(op, *SEGMENTATION.preprocess)))
