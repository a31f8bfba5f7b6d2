"""Folders, CSV tables and npz archives: what is read, and what is refused with its place."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.sources import check_labels, list_files, read_arrays, read_image_arrays, read_table


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_a_folder_a_class_is_listed_by_name(tmp_path):
    touch(tmp_path, "dog/b.png", "dog/a.png", "cat/deep/c.jpg", "cat/.hidden", "cat/Thumbs.db", "README.md")
    found = list_files(tmp_path)
    assert found.names == ("cat/deep/c.jpg", "dog/a.png", "dog/b.png")
    assert found.labels == ("cat", "dog")
    assert found.classes == (("cat",), ("dog",), ("dog",))
    assert set(found.splits) == {None}
    assert found.skipped == ()


def test_what_is_not_meant_as_a_picture_is_ignored_and_named(tmp_path):
    touch(tmp_path, "a/1.PNG", "a/2.tiff", "a/notes.txt", "a/README.md", "a/LICENSE", "a/deep/model.keras", "b/1.jpeg")
    touch(tmp_path, "a/.DS_Store", "a/Thumbs.db", "b/desktop.ini", "b/1.jpg.bak")
    (tmp_path / "b/f00d").write_bytes(b"\xff\xd8\xff\xe0 as downloaded")
    found = list_files(tmp_path)
    assert found.names == ("a/1.PNG", "a/2.tiff", "b/1.jpeg", "b/f00d")
    ignored = ["a/LICENSE", "a/README.md", "a/deep/model.keras", "a/notes.txt", "b/1.jpg.bak"]
    assert found.skipped == tuple((name, "ignored, not an image") for name in ignored)


def test_a_csv_may_name_files_as_it_likes(tmp_path):
    found = list_files(csv_file(tmp_path, "path,label\na.dat,x\nb,y\n"))
    assert (found.names, found.skipped) == (("a.dat", "b"), ())


@pytest.mark.parametrize("validation", ["val", "validation", "valid", "Val"])
def test_a_split_inside_is_kept(tmp_path, validation):
    touch(tmp_path, *(f"{side}/{label}/1.png" for side in ("train", validation, "test") for label in ("a", "b")))
    found = list_files(tmp_path)
    assert {name.split("/")[0]: split for name, split in zip(found.names, found.splits, strict=True)} == {
        "train": "train",
        validation: "validation",
        "test": "test",
    }
    assert found.labels == ("a", "b")


def test_classes_may_be_called_like_splits(tmp_path):
    assert list_files(touch(tmp_path, "train/1.png", "bus/1.png")).labels == ("bus", "train")


def test_images_outside_every_class_are_named(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png", "lost.png")
    assert list_files(tmp_path).skipped == (("lost.png", "outside every class folder"),)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("1.png",), "one subfolder per class"),
        (("a/1.png",), "at least two classes; received only 'a'"),
        (("train/1.png", "test/1.png"), "one subfolder per class"),
        (("train/a/1.png", "train/b/1.png", "extra/a/1.png"), "must not mix split folders"),
        (("train/a/1.png", "val/a/1.png", "valid/a/1.png"), "each of train/ val/ test/ once"),
        (("a/1.png", "b/.keep"), "b: a class needs at least one image; received an empty folder"),
        (("a/1.png", "b/x.txt"), "b: a class needs at least one image; received no image among its files"),
        (("caf\u00e9/1.png", "cafe\u0301/1.png"), "Unicode form"),
        (("a\\b/1.png", "c/1.png"), "must not look like a path"),
        (("a\n/1.png", "c/1.png"), "start or end with a space"),
        (("a\nb/1.png", "c/1.png"), "control characters"),
    ],
)
def test_layouts_that_cannot_be_are_refused(tmp_path, names, text):
    with pytest.raises(InputError, match=text):
        list_files(touch(tmp_path, *names))


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(InputError, match="an empty folder"):
        list_files(tmp_path)
    with pytest.raises(InputError, match="must exist"):
        list_files(tmp_path / "none")


def test_group_and_several_labels_need_a_csv(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(InputError, match=r"data\.group: needs a CSV"):
        list_files(tmp_path, group="owner")
    with pytest.raises(InputError, match=r"data\.multi_label: needs a CSV"):
        list_files(tmp_path, multi_label=True)


def csv_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_csv_is_listed_with_split_and_group(tmp_path):
    text = 'path,label,split,owner\nb.png,dog,test,x\n"a,1.png",cat,train,y\n/abs/c.png,cat,valid,y\n'
    found = list_files(csv_file(tmp_path, text), group="owner")
    assert found.names == ("/abs/c.png", "a,1.png", "b.png")
    assert found.paths == (Path("/abs/c.png"), tmp_path / "a,1.png", tmp_path / "b.png")
    assert found.splits == ("validation", "train", "test")
    assert found.groups == ("y", "y", "x")
    assert found.labels == ("cat", "dog")


def test_several_labels_a_sample(tmp_path):
    found = list_files(csv_file(tmp_path, "path,label\na.png,x|y\nb.png,\nc.png,y\n"), multi_label=True)
    assert found.classes == (("x", "y"), (), ("y",))


@pytest.mark.parametrize(
    ("text", "where", "rule"),
    [
        ("path;label\na.png;x\n", "line 1", "separated by commas; received semicolons"),
        ("path\tlabel\na.png\tx\n", "line 1", "separated by commas; received tabs"),
        ("path,label\na,x\nb\0,y\n", "line 3", "NUL"),
        (b"path,label\na,x\nb,caf\xe9\n", "line 3", "UTF-8"),
        ("path,label\na,x\nb\n", "line 3", "must have 2 cells; received 1"),
        ("path,label\na,x\nb,y,z\n", "line 3", "must have 2 cells; received 3"),
        ('path,label\na,x\n"b,y\nc,z\n', "line 3", "double quote"),
        ('path,label\na,"x\ny"\n', "line 2", "line break"),
        ('path,label\na,"x"y\n', "line 2", "valid CSV"),
        ("path,label,label\na,x,y\n", "line 1", "a different name"),
        ("path,name,kind\na,x,y\n", "line 1", "needs a column 'label'"),
        ("path,label\n", "data.csv", "rows below the header"),
        ("", "data.csv", "header line"),
        ("path,label\n../a.png,x\n", "line 2", "must stay in the CSV's folder"),
        ("path,label\n,x\n", "line 2", "path must not be empty"),
        ("path,label,split\na,x,tset\n", "line 2", "split must be train"),
        ("path,label\nx,a/1.png\ny,a/2.png\n", "data.csv", "wrong way round"),
        ("path,label\na,x\nb,\n", "data.csv", "must not be empty"),
        ("path,label\na,x\nb,x\n", "data.csv", "two classes"),
    ],
)
def test_a_broken_csv_is_refused_with_file_and_line(tmp_path, text, where, rule):
    with pytest.raises(InputError) as caught:
        list_files(csv_file(tmp_path, text))
    assert str(tmp_path / "data.csv") in str(caught.value)
    assert where in str(caught.value)
    assert rule in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_relative_path_may_wander_inside_the_folder(tmp_path):
    found = list_files(csv_file(tmp_path, "path,label\nx/../a.png,x\nb.png,y\n"))
    assert found.paths[1] == tmp_path / "x/../a.png"


def test_a_group_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"needs a column 'ownr'.*'owner'"):
        list_files(csv_file(tmp_path, "path,label,owner\na,x,1\nb,y,2\n"), group="ownr")


def test_a_label_twice_in_one_cell_is_refused(tmp_path):
    with pytest.raises(InputError, match="line 2"):
        list_files(csv_file(tmp_path, "path,label\na,x|x\nb,y\n"), multi_label=True)


def test_numbers_of_a_table(tmp_path):
    table = read_table(csv_file(tmp_path, "day,a,b\nmo,1,2.5\n\ntu,-3e2,4\n"))
    assert tuple(table.lines) == (2, 4)  # the blank line counts
    assert table.numbers(["b", "a"]).tolist() == [[2.5, 1.0], [4.0, -300.0]]
    with pytest.raises(InputError, match=r"line 2: column 'day' must hold a finite number; received mo"):
        table.numbers(["day"])


@pytest.mark.parametrize("cell", ["nan", "inf", "", "1e39", "1,5"])
def test_a_cell_that_is_no_finite_float32_is_refused(tmp_path, cell):
    table = read_table(csv_file(tmp_path, f'a,b\n1,2\n"{cell}",3\n'))
    with pytest.raises(InputError, match=r"line 3: column 'a'"):
        table.numbers(["a"])


def test_labels_come_out_in_nfc_and_sorted():
    assert check_labels(["b", "cafe\u0301", "b"], "x") == ("b", "caf\u00e9")


@pytest.mark.parametrize("label", ["", " a", "a ", "a/b", "..", "a\tb", "a\u2028b"])
def test_labels_that_cannot_be(label):
    with pytest.raises(InputError, match="data: "):
        check_labels(["ok", label], "data")


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


X, Y = np.zeros((4, 5, 6, 3), np.uint8), np.array([0, 1, 1, 0])


def test_an_npz_with_and_without_split(tmp_path):
    found = read_image_arrays(npz(tmp_path, x=X, y=Y))
    assert list(found.images) == [None]
    assert found.labels == ("0", "1")
    assert found.targets[None].dtype == np.int64
    found = read_image_arrays(
        npz(tmp_path, x_train=X[..., 0], y_train=Y[:, None], x_test=X, y_test=Y, labels=np.array(["no", "yes"]))
    )
    assert list(found.images) == ["train", "test"]
    assert found.labels == ("no", "yes")
    assert found.targets["train"].tolist() == [0, 1, 1, 0]


def test_an_npz_with_names_or_several_labels(tmp_path):
    assert read_image_arrays(npz(tmp_path, x=X, y=np.array(["b", "a", "a", "b"]))).targets[None].tolist() == [
        1,
        0,
        0,
        1,
    ]
    several = read_image_arrays(npz(tmp_path, x=X, y=np.array([[0, 1], [1, 1], [0, 0], [1, 0]])))
    assert several.targets[None].dtype == np.float32
    assert several.targets[None].shape == (4, 2)


@pytest.mark.parametrize(
    ("arrays", "key"),
    [
        ({"x": X}, "y: must be there"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "y_test: must be there"),
        ({"x_test": X, "y_test": Y}, "x_train: must be there"),
        ({"x": X, "y": Y, "z": Y}, "z: is not a known key"),
        ({"x": X.astype(np.float32), "y": Y}, "x: must be uint8"),
        ({"x": X[..., :2], "y": Y}, "x: must be uint8"),
        ({"x": X[:0], "y": Y[:0]}, "x: must be uint8"),
        ({"x": X, "y": Y[:3]}, "y: must have one entry an image"),
        ({"x": X, "y": np.array([-1, 0, 1, 0])}, "y: must lie between"),
        ({"x": X, "y": Y * 0}, "y: must hold 2 to"),
        ({"x": X, "y": Y * 10**9}, "y: must hold 2 to"),
        ({"x": X, "y": Y.astype(float)}, "y: must be whole numbers"),
        ({"x": X, "y": np.array([0, np.nan, 1, 1])}, "y: must hold finite numbers"),
        ({"x": X, "y": np.array([0, "a", None, 1], object)}, "y: must not hold Python objects"),
        ({"x": X, "y": Y, "labels": np.array(["a", "a"])}, "labels: must be different texts"),
        ({"x": X, "y": Y, "labels": np.array(["a", "b/c"])}, "labels: a label must not look like a path"),
        ({"x": X, "y": Y + 1, "labels": np.array(["a", "b"])}, "y: must lie between 0 and 1"),
        ({"x": X, "y": np.full((4, 2), 2)}, "y: must be class numbers"),
    ],
)
def test_an_npz_that_cannot_be_names_the_key(tmp_path, arrays, key):
    with pytest.raises(InputError, match=key):
        read_image_arrays(npz(tmp_path, **arrays))


def test_a_damaged_or_missing_npz_is_refused(tmp_path):
    path = npz(tmp_path, x=X, y=Y)
    data = path.read_bytes()
    for damaged in (b"", b"text", data[: len(data) // 2], data[:200] + b"\xff" * 99 + data[299:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"data\.npz"):
            read_arrays(path)
    with pytest.raises(InputError, match="must exist"):
        read_arrays(tmp_path / "none.npz")
    with pytest.raises(InputError, match="must be a regular file; received a folder"):
        read_arrays(tmp_path)


def test_a_header_that_lies_about_its_size_costs_no_memory(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + b"12345")
    with pytest.raises(InputError, match="x: its header must fit its data"):
        read_arrays(tmp_path / "bomb.npz")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    with pytest.raises(InputError, match="at most 100 bytes"):
        read_arrays(npz(tmp_path, x=X, y=Y), limit=100)


def test_a_wide_table_takes_no_longer_a_cell_than_a_narrow_one(tmp_path):
    """Quadratic in the columns, 40,000 took ten seconds; 8 times as many columns take about 8 times as long, not 64."""
    taken = []
    for width in (5_000, 40_000):
        path = csv_file(tmp_path, ",".join(f"c{i}" for i in range(width)) + "\n" + ",".join(["1"] * width) + "\n")
        runs = []
        for _ in range(3):  # in one of them the whole heap of this process may be searched for cycles
            start = time.process_time()
            assert read_table(path).numbers([f"c{i}" for i in range(width)]).shape == (1, width)
            runs.append(time.process_time() - start)
        taken.append(min(runs))
    assert taken[1] < 30 * max(taken[0], 0.02)


def test_cells_that_stand_there_again_are_held_once(tmp_path):
    table = read_table(csv_file(tmp_path, "a,b\n" + "cat,1.25\n" * 1000))
    assert len({id(cell) for cell in table.column("a")}) == 1
    assert len(table) == 1000


@pytest.mark.parametrize("before", range((1 << 20) - 3, (1 << 20) + 2))
def test_letters_and_faults_across_pieces_are_found_in_their_line(tmp_path, before):
    """Decoding goes by pieces of a megabyte: a letter may begin in one and end in the next."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + b"x" * 99_997 + b"\n" + b"y\n" * ((before - 100_000) // 2) + "\u20ac\n".encode())
    assert read_table(path).column("a")[-1] == "\u20ac"
    path.write_bytes(path.read_bytes()[:-3] + b"\n")
    with pytest.raises(InputError, match=rf"line {path.read_bytes().count(10)}: must be UTF-8; received byte 0xe2"):
        read_table(path)
