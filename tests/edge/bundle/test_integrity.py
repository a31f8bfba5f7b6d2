"""A bundle that was changed in any way is refused before a runtime sees a byte of it."""

from __future__ import annotations

import os
import shutil

import pytest

from dltk.base.errors import InputError
from dltk.edge import load
from dltk.edge.bundle.integrity import read_bundle, read_file, read_manifest

FILES = ["model.float32.tflite", "model.int8.onnx", "golden.npz", "labels.txt", "manifest.json"]


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "copy")


def test_every_file_is_read(bundle):
    sealed = read_bundle(bundle)
    assert {path.name for path in bundle.iterdir()} == {*sealed.files, "manifest.json"}
    assert all((bundle / name).read_bytes() == data for name, data in sealed.files.items())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "remove", "link", "folder"])
def test_damage_is_refused_and_named(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if damage == "flip":
        path.write_bytes(data[:-3] + bytes([data[-3] ^ 0x10]) + data[-2:])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "grow":
        path.write_bytes(data + b"\n")
    elif damage == "link":
        outside = copy.parent / "outside"
        outside.write_bytes(data)
        path.symlink_to(outside)
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"manifest\.json" if name == "manifest.json" else name) as caught:
        read_bundle(copy)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("make", ["file", "folder", "link", "pipe"])
def test_anything_more_in_the_folder_is_refused(copy, make):
    extra = copy / "extra"
    {
        "file": lambda: extra.write_bytes(b""),
        "folder": extra.mkdir,
        "link": lambda: extra.symlink_to(copy / "labels.txt"),
        "pipe": lambda: os.mkfifo(extra),
    }[make]()
    with pytest.raises(InputError, match="extra"):
        read_bundle(copy)


def test_what_is_no_bundle_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(InputError, match="dltk export"):
            read_manifest(path)


def test_a_file_that_is_not_listed_cannot_be_read(bundle):
    with pytest.raises(InputError, match="passwd"):
        read_file(bundle, read_manifest(bundle), "../../etc/passwd")


def test_load_checks_what_it_reads(copy):
    path = copy / "model.float32.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match="SHA-256"):
        load(copy)
