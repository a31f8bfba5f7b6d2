"""Folders of pictures and masks: what is read, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.sources.masks import MaskLayout, MaskReading, list_masked, read_mask, reading_of


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
    with pytest.raises(InputError, match="PNG of class numbers; received colours"):
        read_mask(save(folder / "m.png", np.arange(72).reshape(4, 6, 3)), like=like)
    (folder / "m.png").write_bytes((folder / "masks/a.png").read_bytes()[:40])
    with pytest.raises(InputError, match="undamaged PNG"):
        read_mask(folder / "m.png", like=like)
    (folder / "images/a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: must be a JPEG, PNG, BMP, WebP, GIF or TIFF"):
        read_mask(folder / "masks/a.png", like=like)


def test_a_picture_that_is_turned_upright_has_its_upright_size(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(folder / "images/a.jpg", exif=exif)
    assert read_mask(folder / "masks/a.png", like=folder / "images/a.jpg").shape == (4, 6)


def values(folder, *masks, labels=(), **settings):
    """The reading of masks with these numbers or colours, and the labels."""
    for number, mask in enumerate(masks):
        save(folder / f"images/{number}.jpg", np.zeros((*np.shape(mask)[:2], 3)))
        save(folder / f"masks/{number}.png", mask)
    for name in ("a", "b"):
        for path in (*folder.glob(f"images/{name}.*"), *folder.glob(f"masks/{name}.*")):
            path.unlink()
    if labels:
        (folder / "labels.txt").write_text("\n".join(labels))
    return reading_of(list_masked(folder), **settings)


@pytest.mark.parametrize(
    ("numbers", "labels", "settings", "classes", "named"),
    [
        ([0, 1, 2], (), {}, {}, None),
        ([0, 1], ("a", "b", "c"), {}, {}, ("a", "b", "c")),
        ([1, 2], (), {}, {1: 0, 2: 1}, None),
        ([1, 2], ("a", "b"), {}, {1: 0, 2: 1}, ("a", "b")),
        ([0, 255], ("a", "b"), {}, {0: 0, 255: 1}, ("a", "b")),
        ([0, 1, 255], (), {"ignore": ("255",)}, {0: 0, 1: 1, 255: 255}, None),
        ([0, 1, 255], (), {"numbers": "ranked"}, {0: 0, 1: 1, 255: 2}, None),
        ([0, 1, 2], ("a", "void", "c"), {"ignore": ("void",)}, {0: 0, 2: 1, 1: 255}, ("a", "c")),
        ([0, 1, 2], (), {"ignore": ("0",)}, {1: 0, 2: 1, 0: 255}, None),
        ([0, 1, 2], ("b", "c"), {"ignore": ("0",)}, {1: 0, 2: 1, 0: 255}, ("b", "c")),
        ([0, 50, 100], (), {"numbers": "ranked"}, {0: 0, 50: 1, 100: 2}, None),
    ],
)
def test_numbers_become_classes(folder, numbers, labels, settings, classes, named):
    reading, found = values(folder, [numbers], labels=labels, **settings)
    assert (dict(reading.classes), found) == (classes, named)
    if classes:
        assert MaskReading.from_op(reading.as_op()).classes == classes
        mask = read_mask(folder / "masks/0.png", like=folder / "images/0.jpg", reading=reading)
        assert mask.tolist() == [[classes[number] for number in numbers]]


@pytest.mark.parametrize(
    ("numbers", "labels", "settings", "texts"),
    [
        ([0, 1, 255], ("a", "b"), {}, ("must lie in 0..1; received 255", "data.ignore=255")),
        ([0, 1, 255], (), {}, ("0, 1, 255", "data.ignore=255", "data.numbers=ranked")),
        ([0, 1, 2], ("b", "c"), {}, ("must lie in 0..1; received 2", "data.ignore=0")),
        ([0, 100, 200], (), {}, ("0, 100, 200", "data.numbers=ranked")),
        ([0, 1, 7], ("a", "b"), {}, ("must lie in 0..1; received 7",)),
        ([0, 1], (), {"ignore": ("sky",)}, ("setting data.ignore", "sky")),
        ([0, 0], (), {"ignore": ("0",)}, ("must leave classes",)),
    ],
)
def test_numbers_that_may_be_read_in_two_ways_are_asked_about(folder, numbers, labels, settings, texts):
    with pytest.raises(InputError) as caught:
        values(folder, [numbers], labels=labels, **settings)
    assert all(text in str(caught.value) for text in texts)


def test_the_reading_of_training_refuses_other_values(folder):
    reading, _ = values(folder, [[1, 2]])
    path = save(folder / "m.png", [[1, 7]])
    with pytest.raises(InputError, match=r"values must be 1, 2; received 7 at column 1, row 0"):
        read_mask(path, like=folder / "images/0.jpg", reading=reading)


def test_colours_need_a_table_where_they_are_many_or_named(folder):
    pixels = [[(0, 0, 0), (9, 0, 0), (0, 9, 0)]]
    reading, labels = values(folder, pixels)
    assert labels == ("#000000", "#000900", "#090000")
    with pytest.raises(InputError, match=r"colour of each label.*data\.colours=FILE"):
        values(folder, pixels, labels=("a", "b", "c"))
    (folder / "labels.txt").unlink()
    (folder / "mine.txt").write_text("# red green blue name\n0 9 0 tree\n0 0 0 ground\n")
    found = list_masked(folder, MaskLayout(colours="mine.txt"))
    with pytest.raises(InputError, match=r"each colour; received #090000.*data\.ignore=#090000"):
        reading_of(found)
    reading, labels = reading_of(found, ignore=("#090000",))
    assert labels == ("tree", "ground")
    assert read_mask(folder / "masks/0.png", like=folder / "images/0.jpg", reading=reading).tolist() == [[1, 255, 0]]
    many = np.arange(300 * 3).reshape(10, 30, 3) % 251
    with pytest.raises(InputError, match=r"251 colours.*if colours are blended"):
        values(folder, many)


@pytest.mark.parametrize(
    "text", ["sky 0 0\n", "sky 0 0 256\n", "0 0 0 a\n0 0 0 b\n", "0 0 0 a\n1 1 1 a\n", "0 0 0\n1 1 1 b\n"]
)
def test_a_broken_table_of_colours_is_refused_by_line(folder, text):
    (folder / "class_dict.csv").write_text(text)
    with pytest.raises(InputError, match=r"class_dict\.csv"):
        list_masked(folder)


def test_masks_with_loss_are_refused_with_the_reason(folder):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "masks/a.png", "JPEG")
    with pytest.raises(InputError, match=r"a\.png: a mask must be a PNG: lossy compression blends.*a JPEG image"):
        read_mask(folder / "masks/a.png", like=folder / "images/a.jpg")


def test_masks_that_shine_through_are_refused(folder):
    pixels = np.full((4, 6, 4), 9, np.uint8)
    with pytest.raises(InputError, match=r"must be opaque; received mode RGBA"):
        read_mask(save(folder / "m.png", pixels), like=folder / "images/a.jpg")
    pixels[..., 3] = 255
    assert read_mask(save(folder / "m.png", pixels), like=folder / "images/a.jpg").max() == 9


def test_named_folders_and_files_are_read(tmp_path):
    for number in range(2):
        save(tmp_path / f"x/{number}.jpg", np.zeros((2, 2, 3)))
        save(tmp_path / f"y/{number}.png", np.eye(2))
    (tmp_path / "names.lst").write_text("no\nyes\n")
    with pytest.raises(InputError, match=r"data\.images=FOLDER and data\.masks=FOLDER"):
        list_masked(tmp_path)
    found = list_masked(tmp_path, MaskLayout("x", "y", "names.lst"))
    assert (found.names, found.labels) == (("x/0.jpg", "x/1.jpg"), ("no", "yes"))
    with pytest.raises(InputError, match=r"setting data\.classes: must be a file"):
        list_masked(tmp_path, MaskLayout("x", "y", "none.lst"))


def test_boxes_are_no_masks(tmp_path):
    for number in range(2):
        save(tmp_path / f"images/{number}.jpg", np.zeros((2, 2, 3)))
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/{number}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(InputError, match="these are boxes"):
        list_masked(tmp_path)


def test_numbers_and_colours_are_not_mixed(folder):
    with pytest.raises(
        InputError, match=r"1\.png: a mask must be a PNG of class numbers as the others.*data\.colours=FILE"
    ):
        values(folder, [[0, 1]], np.zeros((1, 2, 3)))
    (folder / "class_dict.csv").write_text("name,r,g,b\nground,0,0,0\nleaf,1,1,1\n")
    reading, labels = reading_of(list_masked(folder))
    assert labels == ("ground", "leaf")
    assert read_mask(folder / "masks/0.png", like=folder / "images/0.jpg", reading=reading).tolist() == [[0, 1]]
