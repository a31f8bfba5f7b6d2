"""An archive is read like its folder, without being unpacked; one that `pack` did not write is refused in a line."""

from __future__ import annotations

import os
import tracemalloc

import pytest

import small
import tiny
from dltk.base.errors import InputError
from dltk.edge import bench, load, replay
from dltk.edge.bundle.archive import Archive, pack
from dltk.edge.bundle.integrity import read_bundle
from dltk.report import collect
from edge import archives


@pytest.fixture(scope="module")
def files(bundle):
    return small.files(bundle)


@pytest.fixture(scope="module")
def archive(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("archives") / "tiny.zip"
    path.write_bytes(pack(files))
    return path


def test_it_holds_what_the_folder_holds(bundle, archive):
    one, other = read_bundle(bundle), read_bundle(archive)
    assert (one.manifest, one.files) == (other.manifest, other.files)


def test_it_answers_like_the_folder_and_leaves_nothing_on_disk(bundle, archive, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = sorted(archive.parent.iterdir())
    sample = tiny.raws(1)[0]
    for name in ("model.float32.tflite", "model.int8.onnx"):
        assert load(archive, artifact=name).predict(sample) == load(bundle, artifact=name).predict(sample)
    assert replay(archive) == replay(bundle)
    told = collect(archive)
    assert {**told, "path": ""} == {**collect(bundle), "path": ""}
    assert list(tmp_path.iterdir()) == []
    assert sorted(archive.parent.iterdir()) == before


def test_it_is_measured_like_the_folder(archive):
    (found,) = bench(archive, artifact="model.float32.tflite")["artifacts"]
    assert (found["status"], found["bytes"]) == ("measured", len(tiny.tflite()))


def test_equal_files_give_equal_archives_that_any_program_opens(files):
    named = files | {"größe.txt": b"\xff" * 1000}
    assert pack(named) == pack(dict(named)) == archives.zipped(named)
    assert archives.members(pack(named)) == named


def test_a_link_to_an_archive_is_a_path_to_it(archive, tmp_path):
    (tmp_path / "link.zip").symlink_to(archive)
    assert read_bundle(tmp_path / "link.zip").manifest.name == "tiny"


@pytest.mark.parametrize("kind", archives.HOSTILE)
def test_what_pack_did_not_write_is_refused_in_a_line(kind, files, tmp_path):
    (tmp_path / "b.zip").write_bytes(archives.HOSTILE[kind](files))
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_bundle(tmp_path / "b.zip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert "b.zip" in str(caught.value)
    assert peak < 4_000_000, "a few times the archive's own size, however much it claims to hold"
    if "one file" not in kind:  # `load` reads what it needs, and asks nothing of the rest: as it does of a folder
        with pytest.raises(InputError):
            load(tmp_path / "b.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_no_more_is_inflated_than_the_manifest_lists(files, tmp_path):
    """The archive's own headers agree with each other, and not with the manifest."""
    (tmp_path / "b.zip").write_bytes(pack(files | {"labels.txt": bytes(30_000_000)}))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"labels\.txt: must be at most 12 bytes"):
        read_bundle(tmp_path / "b.zip")
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def _survives(data, files, folder):
    path = folder / "m.zip"
    path.write_bytes(data)
    try:
        found = read_bundle(path)
    except InputError:
        return False
    assert found.files == {name: whole for name, whole in files.items() if name != "manifest.json"}
    return True


def _mutations(files, folder, count):
    data = pack(files)
    changed = [one for one in (archives.mutated(data, seed) for seed in range(count)) if one != data]
    return sum(_survives(one, files, folder) for one in changed), len(changed)


def test_changed_bytes_are_seen(files, tmp_path):
    """But for the last bits of a packed file, which fill up its last byte: at most 7 in each of these 8 files."""
    survived, count = _mutations(files, tmp_path, 400)
    assert count > 390
    assert survived <= 2


@pytest.mark.slow
def test_three_thousand_changes_are_seen(files, tmp_path):
    survived, count = _mutations(files, tmp_path, 3000)
    assert survived <= count * 0.002


def test_every_bit_of_headers_and_index_counts(files, tmp_path):
    data = pack({name: files[name] for name in ("manifest.json", "labels.txt")})
    (tmp_path / "b.zip").write_bytes(data)
    entries = Archive(tmp_path / "b.zip")._entries.values()
    places = {at for entry in entries for at in range(entry.at, entry.at + len(entry.header()))}
    places |= set(range(max(entry.end for entry in entries), len(data)))
    for at in sorted(places):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        (tmp_path / "b.zip").write_bytes(changed)
        with pytest.raises(InputError):
            _all_of(tmp_path / "b.zip")


def _all_of(path):
    archive = Archive(path)
    return [archive.read(name, 1_000_000) for name in archive.names]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")], ids=["pipe", "dead link"])
def test_what_is_no_file_says_so(make, tmp_path):
    make(tmp_path / "b.zip")
    with pytest.raises(InputError, match=r"b\.zip"):
        load(tmp_path / "b.zip")
