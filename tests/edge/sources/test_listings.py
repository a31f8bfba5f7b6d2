"""Listings that can be read in two ways, and data of other kinds: refused with each reading and its flag."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dltk.base.errors import InputError
from dltk.edge.sources import Layout, list_files
from dltk.edge.sources.labels import split_name, split_names

PNG = b"\x89PNG\r\n\x1a\n"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Training", "train"), ("train_set", "train"), ("training-data", "train"),
        ("TrainSet", "train"), ("valid", "validation"), ("VAL", "validation"), ("dev", "validation"),
        ("val_set", "validation"), ("test images", "test"), ("Testing", "test"), ("testset", "test"),
        ("trainer", None), ("train_station", None), ("test tube", None), ("devil", None), ("data", None), ("", None),
        ("train_test", None),
    ],
)  # fmt: skip
def test_a_split_has_many_names(name, split):
    assert split_name(name) == split


def test_a_common_prefix_is_no_class():
    found = split_names(["seg_train", "seg_test", "seg_pred", "other_val"])
    assert found == {"seg_train": "train", "seg_test": "test", "seg_pred": "unlabelled", "other_val": None}
    assert split_names(["train station", "test tube"]) == {"train station": None, "test tube": None}
    assert split_names(["pred", "cat"]) == {"pred": None, "cat": None}


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (("val/a/1.png", "val/b/1.png", "test/a/1.png", "test/b/1.png"), ("must hold train/", "class_folders=outer")),
        (("test/x/1.png", "test/y/1.png", "cat/1.png", "dog/1.png"), ("must hold train/", "class_folders=outer")),
        (("train/a/1.png", "train/b/1.png", "extra/a/1.png"), ("must not mix", "data.class_folders=outer")),
        (
            ("one/a/1.png", "one/b/1.png", "two/a/1.png", "two/b/1.png"),
            ("data.class_folders=outer: the classes are one, two", "data.class_folders=inner: they are a, b"),
        ),
    ],
)
def test_folders_that_may_be_splits_are_asked_about(tmp_path, names, texts):
    with pytest.raises(InputError) as caught:
        list_files(touch(tmp_path, *names))
    assert all(text in str(caught.value) for text in texts)
    found = list_files(tmp_path, layout=Layout(class_folders="outer"))
    assert found.labels == tuple(sorted({name.partition("/")[0] for name in names}))


def test_one_folder_in_each_class_is_part_of_it(tmp_path):
    found = list_files(touch(tmp_path, "a/photos/1.png", "b/photos/1.png"))
    assert found.labels == ("a", "b")


def test_the_labels_of_a_model_decide(tmp_path):
    touch(tmp_path, "one/a/1.png", "one/b/1.png", "two/a/1.png", "two/b/1.png")
    for known in (("a", "b"), ("one", "two")):
        assert list_files(tmp_path, least_classes=1, layout=Layout(known=known)).labels == known


def test_what_is_left_out_is_named(tmp_path):
    found = list_files(touch(tmp_path, "cat/1.png", "dog/1.png", "test/7.png", "test/8.png"))
    assert found.labels == ("cat", "dog")
    assert found.skipped == (("test/7.png", "without a class folder"), ("test/8.png", "without a class folder"))
    assert "data.class_folders=outer" in found.notes[0]
    with_test = list_files(tmp_path, layout=Layout(class_folders="outer"))
    assert with_test.labels == ("cat", "dog", "test")


def test_cases_and_rare_classes_are_kept_on_request(tmp_path):
    touch(tmp_path, "cat/1.png", "cat/2.png", "Cat/3.png", "dog/1.png", "dog/2.png", "owl/1.png")
    with pytest.raises(InputError, match=r"'Cat' \(1\) and 'cat' \(2\).*merge_case=yes.*merge_case=no"):
        list_files(tmp_path, layout=Layout(merge_case="ask", rare="keep"))
    with pytest.raises(InputError, match=r"one of 'owl'.*data\.rare=drop.*data\.rare=keep"):
        list_files(tmp_path, layout=Layout(merge_case="yes", rare="ask"))
    assert list_files(tmp_path, layout=Layout(merge_case="no", rare="keep")).labels == ("Cat", "cat", "dog", "owl")
    assert list_files(tmp_path, layout=Layout(merge_case="yes", rare="drop")).labels == ("cat", "dog")


def table(root: Path, text: str, *files: str) -> Path:
    touch(root, *files)
    (root / "list.csv").write_text(text)
    return root / "list.csv"


@pytest.mark.parametrize(
    ("text", "files", "wanted"),
    [
        ("a,b\n1,x\n2,y\n", (), ("needs a column of image files", "data.path=COLUMN", "data.folder=FOLDER")),
        ("a,b,c\n1,1,x\n", ("1.png",), ("data.path=a or data.path=b",)),
        ("a,c\n1,x\n", ("m/1.png", "n/1.png"), ("data.folder=m or data.folder=n",)),
        ("a,c\n1,x\n", ("m/1.png", "m/1.jpg"), ("data.suffix=.png", "data.suffix=.jpg")),
        ("a,b,c\n1.png,x,p\n2.png,y,p\n", ("1.png", "2.png"), ("data.label=b or data.label=c",)),
        ("f,x,y\n1.png,1,0\n2.png,1,1\n", ("1.png", "2.png"), ("line 3", "one label", "data.multi_label=true")),
        ("path,label\n../out.png,x\n1.png,y\n", ("1.png",), ("stay in the CSV's folder",)),
        ("f,c\n" + "n" * 5000 + ",x\n", (), ("needs a column of image files",)),
    ],
)  # fmt: skip
def test_a_table_that_may_be_read_in_two_ways_is_asked_about(tmp_path, text, files, wanted):
    with pytest.raises(InputError) as caught:
        list_files(table(tmp_path, text, *files))
    assert all(each in str(caught.value) for each in wanted)


def test_the_named_columns_are_read(tmp_path):
    path = table(tmp_path, "a,b,c,d\n1,1,x,p\n2,2,y,p\n", "m/1.png", "m/2.png", "n/1.png", "n/2.png")
    found = list_files(path, layout=Layout(path="b", label="c", folder="n", suffix=".png"))
    assert found.paths == (tmp_path / "n/1.png", tmp_path / "n/2.png")
    assert found.classes == (("x",), ("y",))
    with pytest.raises(InputError, match="needs a column 'e'"):
        list_files(path, layout=Layout(path="e"))


def test_one_hot_columns_may_hold_several_labels(tmp_path):
    path = table(tmp_path, "f,x,y\n1.png,1,0\n2.png,1,1\n3.png,0,0\n", "1.png", "2.png", "3.png")
    assert list_files(path, multi_label=True).classes == (("x",), ("x", "y"), ())


COCO = json.dumps({"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}], "categories": []})
VOC = "<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ({"train2017/1.jpg": "x", "val2017/1.jpg": "x", "annotations/instances.json": COCO}, "COCO"),
        ({"train/1.jpg": "x", "train/_annotations.coco.json": COCO, "valid/1.jpg": "x"}, "COCO"),
        ({"images/train/1.jpg": "x", "labels/train/1.txt": "0 0.5 0.5 0.1 0.1\n"}, "YOLO"),
        ({"train/images/1.jpg": "x", "train/labels/1.txt": "0 0.5 0.5 0.1 0.1\n3 0.5 0.5 1 1"}, "YOLO"),
        ({"1.jpg": "x", "1.txt": "12 .5 0.5 0.1 0.1"}, "YOLO"),
        ({"JPEGImages/1.jpg": "x", "Annotations/1.xml": VOC}, "Pascal VOC"),
        ({"1.jpg": "x", "1.xml": VOC}, "Pascal VOC"),
        ({"data.csv": "filename,class,xmin,ymin,xmax,ymax\n1.jpg,a,1,2,3,4\n"}, "columns"),
        ({"data.json": COCO}, "COCO"),
    ],
    ids=str,
)
def test_boxes_are_called_boxes(tmp_path, names, kind):
    for name, text in names.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    source = tmp_path / next(iter(names)) if len(names) == 1 else tmp_path
    with pytest.raises(InputError, match=f"these are boxes, and no recipe of dltk detects objects yet.*{kind}"):
        list_files(source)


def test_other_faults_are_not_called_boxes(tmp_path):
    touch(tmp_path, "a/1.png", "b/notes.txt")
    with pytest.raises(InputError, match="needs at least one image"):
        list_files(tmp_path)
