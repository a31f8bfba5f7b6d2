"""Folders of pictures and masks: what is read, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.sources.masks import list_masked, read_mask


def save(path, array, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(array, np.uint8))
    if palette:
        picture.putpalette([9, 9, 9, 200, 0, 0])
    picture.save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"images/{name}.jpg", np.zeros((4, 6, 3)))
        save(tmp_path / f"masks/{name}.png", np.eye(4, 6))
    return tmp_path


def test_pictures_and_masks_meet_by_stem(folder):
    found = list_masked(folder)
    assert found.names == ("images/a.jpg", "images/b.jpg")
    assert [path.name for path in found.masks] == ["a.png", "b.png"]
    assert found.splits == (None, None)
    assert found.labels is None
    (folder / "labels.txt").write_text("zebra\nape\n")
    assert list_masked(folder).labels == ("zebra", "ape")  # in the order of the numbers, not of the alphabet


def test_a_split_inside_is_kept(tmp_path):
    for side in ("train", "val", "test"):
        save(tmp_path / side / "images/a.png", np.zeros((4, 6, 3)))
        save(tmp_path / side / "masks/a.png", np.zeros((4, 6)))
    found = list_masked(tmp_path)
    assert dict(zip(found.splits, found.names, strict=True)) == {
        "train": "train/images/a.png", "validation": "val/images/a.png", "test": "test/images/a.png"
    }  # fmt: skip


def test_palette_grey_and_bitmap_are_class_numbers(folder):
    like = folder / "images/a.jpg"
    assert np.array_equal(read_mask(folder / "masks/a.png", like=like), np.eye(4, 6))
    assert np.array_equal(read_mask(save(folder / "p.png", np.eye(4, 6), palette=True), like=like), np.eye(4, 6))
    Image.fromarray(np.eye(4, 6) > 0).save(folder / "bits.png")
    assert np.array_equal(read_mask(folder / "bits.png", like=like), np.eye(4, 6))


def _lost_mask(folder):
    (folder / "masks/b.png").unlink()


def _lost_picture(folder):
    (folder / "images/b.jpg").unlink()


def _twice(folder):
    save(folder / "images/a.png", np.zeros((4, 6, 3)))


def _no_masks(folder):
    (folder / "masks/a.png").unlink()
    (folder / "masks/b.png").unlink()
    (folder / "masks").rmdir()


def _same_label(folder):
    (folder / "labels.txt").write_text("a\na\nb\n")


def _blank_label(folder):
    (folder / "labels.txt").write_text("a\n\nb\n")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_lost_mask, r"b\.jpg: needs a mask of the same name in masks/"),
        (_lost_picture, r"b\.png: needs an image of the same name in images/"),
        (_twice, r"a\.png: needs a name of its own"),
        (_no_masks, "must hold images/ and masks/"),
        (_same_label, r"labels\.txt: must name each"),
        (_blank_label, r"labels\.txt: a label must not be empty"),
    ],
)
def test_another_layout_is_refused(folder, spoil, text):
    spoil(folder)
    with pytest.raises(InputError, match=text):
        list_masked(folder)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="must be a folder"):
        list_masked(tmp_path / "none")


def test_a_mask_that_does_not_fit_is_refused(folder):
    like, labels = folder / "images/a.jpg", ("ground", "leaf")
    with pytest.raises(InputError, match=r"m\.png: must have the size of its image, 6 x 4; received 4 x 6"):
        read_mask(save(folder / "m.png", np.zeros((6, 4))), like=like)
    high = np.zeros((4, 6))
    high[2, 5] = 255
    with pytest.raises(InputError, match=r"m\.png: class numbers must lie in 0\.\.1; received 255 at column 5, row 2"):
        read_mask(save(folder / "m.png", high), like=like, labels=labels)
    with pytest.raises(InputError, match="PNG of class numbers; received mode RGB"):
        read_mask(save(folder / "m.png", np.zeros((4, 6, 3))), like=like)
    (folder / "m.png").write_bytes((folder / "masks/a.png").read_bytes()[:40])
    with pytest.raises(InputError, match="undamaged PNG"):
        read_mask(folder / "m.png", like=like)
    (folder / "images/a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: must be a JPEG, PNG, BMP, WebP or GIF"):
        read_mask(folder / "masks/a.png", like=like)


def test_a_picture_that_is_turned_upright_has_its_upright_size(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(folder / "images/a.jpg", exif=exif)
    assert read_mask(folder / "masks/a.png", like=folder / "images/a.jpg").shape == (4, 6)
