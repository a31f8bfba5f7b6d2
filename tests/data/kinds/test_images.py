"""From files to a dataset: splits, duplicates, unreadable files, the cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.data import decoded, prepare_images
from dltk.edge.input.preprocess import image_ops, read_image
from dltk.recipe import ImageData


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))


def picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 10, 3), dtype=np.uint8))


def fill(root: Path, names: list[str], *, first: int = 0) -> Path:
    """A different picture a name."""
    for number, name in enumerate(names, first):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(root / name)
    return root


@pytest.fixture
def folder(tmp_path) -> Path:
    return fill(tmp_path / "data", [f"{label}/{i:02}.png" for label in "abc" for i in range(20)])


SMALL = ImageData(size=8, validation=0.1, test=0.2)


def prepare(source, *, seed: int = 0, progress: Silent | None = None, **changes):
    from dataclasses import replace

    return prepare_images(str(source), replace(SMALL, **changes), seed=seed, progress=progress or Silent())


def tree_hash(root: Path) -> str:
    facts = [
        (str(path), path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def test_a_folder_becomes_a_stratified_split(folder):
    found = prepare(folder)
    assert (len(found.train), len(found.validation), len(found.test)) == (42, 6, 12)
    assert found.report["classes"] == {
        "train": {"a": 14, "b": 14, "c": 14},
        "validation": {"a": 2, "b": 2, "c": 2},
        "test": {"a": 4, "b": 4, "c": 4},
    }
    assert found.labels == ("a", "b", "c")
    assert found.report["carved_from_train"] == ["validation", "test"]
    rows = np.concatenate([side.ids for side in (found.train, found.validation, found.test)])
    assert sorted(rows) == list(range(60))
    json.dumps(found.report)  # plain JSON values


def test_raw_samples_are_what_the_device_reads(folder):
    from dltk.edge.input.preprocess import image_ops, read_image

    found = prepare(folder)
    raws = found.test.take(np.array([3, 0]))
    assert raws.dtype == np.uint8
    paths = sorted(folder.rglob("*.png"))
    for raw, row in zip(raws, found.test.ids[[3, 0]], strict=True):
        assert np.array_equal(raw, read_image(paths[row], image_ops(8, 8)))
    raws[:] = 0  # a copy: the store stays as it is
    assert found.test.take(np.array([3])).any()
    assert not found.test.store.flags.writeable


def test_the_users_files_are_never_written_to(folder):
    (folder / "a/broken.png").write_bytes(b"no picture")
    before = tree_hash(folder)
    prepare(folder)
    prepare(folder, size=9)
    assert tree_hash(folder) == before


def test_the_second_time_nothing_is_decoded(folder, monkeypatch):
    first = prepare(folder)

    def refuse(*_args, **_options):
        raise AssertionError("decoded again")

    monkeypatch.setattr(decoded, "decode_image", refuse)
    second = prepare(folder)
    assert second.digest == first.digest
    assert np.array_equal(second.train.take(slice(None)), first.train.take(slice(None)))
    assert prepare(folder, seed=1).digest != first.digest  # another split of the same cached pixels
    with pytest.raises(AssertionError):
        prepare(folder, size=9)


def test_a_changed_file_is_decoded_again(folder):
    first = prepare(folder)
    picture(999).save(folder / "a/00.png")
    assert prepare(folder).digest != first.digest


def test_a_damaged_cache_entry_is_made_again(folder):
    first = prepare(folder)
    (entry,) = cache_folder("images").iterdir()
    for name, data in (("meta.json", b"{"), ("digests.npy", b""), ("images.npy", b"short")):
        (entry / name).write_bytes(data)
        assert prepare(folder).digest == first.digest


def test_a_decode_that_is_stopped_leaves_nothing(folder, monkeypatch):
    calls = []

    def stop(source, **options):
        calls.append(source)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return decode(source, **options)

    decode = decoded.decode_image
    monkeypatch.setattr(decoded, "decode_image", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder)
    assert list(cache_folder("images").iterdir()) == []


def test_a_full_disk_is_noticed_before_decoding(folder, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 100, 0))
    monkeypatch.setattr(decoded, "decode_image", None)
    with pytest.raises(EnvironmentFault, match="of free disk"):
        prepare(folder)


def test_the_digest_does_not_depend_on_where_the_files_lie(folder, tmp_path):
    first = prepare(folder)
    folder.rename(tmp_path / "elsewhere")
    assert prepare(tmp_path / "elsewhere").digest == first.digest


def test_a_given_split_is_kept_and_validation_taken_from_train(tmp_path):
    names = [f"{side}/{label}/{i}.png" for side in ("train", "test") for label in "ab" for i in range(10)]
    found = prepare(fill(tmp_path / "data", names))
    assert found.report["samples"] == {"train": 18, "validation": 2, "test": 20}
    assert found.report["carved_from_train"] == ["validation"]


def test_files_that_cannot_be_read_are_named_counted_and_skipped(folder):
    (folder / "b/bad.jpg").write_bytes(b"no picture")
    picture(1).save(folder / "b/other.ico")
    progress = Silent()
    found = prepare(folder, progress=progress)
    assert found.report["unreadable"] == 2
    assert [entry["name"] for entry in found.report["skipped"]] == ["b/bad.jpg", "b/other.ico"]
    assert all("must be a JPEG" in entry["reason"] for entry in found.report["skipped"])
    assert "skipped 2 of 62 files" in progress.warned[0]
    assert "b/bad.jpg" in progress.warned[0]
    assert sum(found.report["samples"].values()) == 60


def test_files_that_are_no_pictures_are_told_apart_and_forgiven(folder):
    """However many: they say nothing about the pictures."""
    before = prepare(folder)
    for number in range(7):
        (folder / "b" / f"{number}.txt").write_text("a note")
    (folder / "b/bad.jpg").write_bytes(b"no picture")
    progress = Silent()
    found = prepare(folder, progress=progress)
    assert (found.report["unreadable"], found.report["ignored"]) == (1, 7)
    assert [entry["reason"] for entry in found.report["skipped"][1:]] == ["ignored, not an image"] * 7
    assert progress.said == ["ignored, not an image: 7 files (7 .txt): b/0.txt; b/1.txt; b/2.txt; b/3.txt; b/4.txt ..."]
    assert "skipped 1 of 61 files" in progress.warned[0]
    assert found.report["samples"] == before.report["samples"]


def test_a_file_too_large_in_pixels_is_skipped_like_a_damaged_one(folder):
    Image.new("L", (200, 200)).save(folder / "a/large.png")
    found = prepare(folder, max_pixels=39_999)
    assert found.report["skipped"][0]["reason"] == (
        "may have at most 39999 pixels; received 40000. Shrink it; for training, data.max_pixels may allow more."
    )


def test_too_many_unreadable_files_stop_the_run(folder):
    for number in range(4):
        (folder / f"c/bad{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(
        InputError, match=r"at most 5% of the files may be unreadable; received 4 of 64.*c/bad0\.jpg"
    ) as caught:
        prepare(folder)
    assert caught.value.exit_code == 3
    assert prepare(folder, max_unreadable=0.1).report["unreadable"] == 4


def test_nothing_readable_is_an_error_whatever_is_allowed(tmp_path):
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_bytes(b"x")
    with pytest.raises(InputError, match="2 of 2"):
        prepare(tmp_path / "data", max_unreadable=1.0)


def test_a_class_of_which_nothing_can_be_read_is_an_error(folder):
    (folder / "d").mkdir()
    (folder / "d/1.png").write_bytes(b"x")
    (folder / "d/2.png").write_bytes(b"y")
    with pytest.raises(InputError, match="every class needs a training sample; received none for 'd'"):
        prepare(folder)


def test_copies_on_several_sides_stay_in_test_alone(tmp_path):
    names = [f"{side}/{label}/{i}.png" for side in ("train", "val", "test") for label in "ab" for i in range(5)]
    root = fill(tmp_path / "data", names)
    picture(0).save(root / "test/a/copy.bmp")  # the picture train/a/0.png in another format: equal pixels
    picture(5).save(root / "val/b/copy.png")  # train/b/0.png
    picture(1).save(root / "train/a/again.png")  # twice in train: stays
    progress = Silent()
    found = prepare(root, progress=progress)
    assert found.report["samples"] == {"train": 9, "validation": 11, "test": 11}
    assert sorted(found.report["duplicates"], key=lambda entry: entry["kept"]) == [
        {"kept": "test/a/copy.bmp", "side": "test", "dropped": [["train/a/0.png", "train"]]},
        {"kept": "val/b/copy.png", "side": "validation", "dropped": [["train/b/0.png", "train"]]},
    ]
    assert found.report["conflicts"] == []
    assert "2 images were in several splits" in progress.warned[0]


def test_equal_pictures_with_different_labels_are_reported(tmp_path):
    root = fill(tmp_path / "data", [f"train/{label}/{i}.png" for label in "ab" for i in range(5)])
    picture(0).save(root / "train/b/copy.png")
    (conflict,) = prepare(root, validation=0.0, test=0.0).report["conflicts"]
    assert conflict == [{"name": "train/a/0.png", "labels": ["a"]}, {"name": "train/b/copy.png", "labels": ["b"]}]


def test_limit_takes_a_stratified_part_of_train_only(folder):
    whole, part = prepare(folder), prepare(folder, limit=9)
    assert part.report["classes"]["train"] == {"a": 3, "b": 3, "c": 3}
    assert np.array_equal(part.test.ids, whole.test.ids)
    assert set(part.train.ids) <= set(whole.train.ids)
    with pytest.raises(InputError, match=r"data\.limit"):
        prepare(folder, limit=2)


def test_shares_that_leave_nothing_to_train_on_are_refused(folder):
    with pytest.raises(InputError, match=r"data\.validation"):
        prepare(folder, validation=0.5, test=0.5)


def test_a_csv_with_several_labels_and_groups(tmp_path):
    root = fill(tmp_path / "data", [f"{i}.png" for i in range(40)])
    labels = ["x", "y", "x|y", ""]
    rows = [f"{i}.png,{labels[i % 4]},owner{i // 4}" for i in range(40)]
    (root / "list.csv").write_text("\n".join(["path,label,owner", *rows, ""]), encoding="utf-8")
    found = prepare(root / "list.csv", multi_label=True, group="owner")
    assert found.train.targets.dtype == np.float32
    assert found.train.targets.shape == (len(found.train), 2)
    names = sorted(f"{i}.png" for i in range(40))
    owners = [{int(names[row][:-4]) // 4 for row in side.ids} for side in (found.train, found.validation, found.test)]
    assert [len(side) for side in owners] == [7, 1, 2]  # ten owners in the shares 0.7, 0.1, 0.2
    assert not owners[0] & owners[1]
    assert not owners[0] & owners[2]
    assert not owners[1] & owners[2]


def test_a_missing_file_of_a_csv_is_skipped_by_name(tmp_path):
    root = fill(tmp_path / "data", [f"{i}.png" for i in range(8)])
    rows = [f"{i}.png,{'xy'[i % 2]}" for i in range(9)]
    (root / "list.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    found = prepare(root / "list.csv", max_unreadable=0.2)
    assert found.report["skipped"] == [{"name": "8.png", "reason": "the file must exist. Check the path."}]


def test_an_npz_is_resized_like_files(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 12, 10), dtype=np.uint8)
    np.savez(
        tmp_path / "data.npz",
        x_train=images[:14],
        y_train=np.arange(14) % 2,
        x_test=images[14:],
        y_test=np.arange(6) % 2,
    )
    found = prepare(tmp_path / "data.npz")
    assert found.report["samples"] == {"train": 13, "validation": 1, "test": 6}
    wanted = read_image(images[14], image_ops(8, 8))
    assert np.array_equal(found.test.take(np.array([0]))[0], wanted)


@pytest.mark.parametrize(
    ("name", "text"), [("digts", "Did you mean 'digits'"), ("none/there", "Check the path"), ("a.txt", "must exist")]
)
def test_a_source_that_is_not_there_is_named(name, text):
    with pytest.raises(InputError, match=text):
        prepare(name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "data.mat").write_bytes(b"x")
    with pytest.raises(InputError, match=r"must be a folder, a \.csv or an \.npz; received \.mat"):
        prepare(tmp_path / "data.mat")


def test_file_names_that_are_not_utf8_can_be_reported(folder):
    import os

    odd = os.path.join(os.fsencode(folder), b"a", b"\xff.png")
    Path(os.fsdecode(odd)).write_bytes(b"x")
    report = prepare(folder).report
    assert report["skipped"][0]["name"] == "a/\\xff.png"
    json.dumps(report, ensure_ascii=False).encode()
