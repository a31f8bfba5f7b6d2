"""Data sets by name: kept after the first time, held to their digests, one way after another."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import EnvironmentFault
from dltk.base.files import sha256
from dltk.base.progress import SILENT
from dltk.data import prepare_images
from dltk.data.named import load as named
from dltk.data.named import origins
from dltk.data.named.load import NAMED, load_named
from dltk.edge.sources import check_labels
from dltk.recipe import ImageData


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))


def test_digits_are_those_of_scikit_learn():
    pytest.importorskip("sklearn", reason="digits come from scikit-learn")
    found = load_named("digits")
    assert found.images.shape == (1797, 8, 8)
    assert found.images.max() == 255
    assert np.bincount(found.targets).min() > 170
    dataset = prepare_images("digits", ImageData(size=8), seed=0)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (1258, 180, 359)
    row = dataset.test.ids[0]
    assert np.array_equal(dataset.test.take(np.array([0]))[0], np.repeat(found.images[row][:, :, None], 3, axis=2))


def test_the_second_time_nothing_is_loaded(monkeypatch):
    images, targets = np.arange(48, dtype=np.uint8).reshape(3, 4, 4), np.array([0, 1, 1], np.uint8)
    calls = []

    def load(progress):
        calls.append(progress)
        return images, targets

    digest = sha256(images.tobytes() + targets.tobytes())
    monkeypatch.setitem(named.NAMED, "digits", replace(NAMED["digits"], load=load, digest=digest))
    for _ in range(2):
        found = load_named("digits")
        assert np.array_equal(found.images, images)
    assert len(calls) == 1


def test_other_bytes_than_the_pinned_ones_are_refused(monkeypatch):
    wrong = np.zeros((3, 4, 4), np.uint8), np.zeros(3, np.uint8)
    monkeypatch.setitem(named.NAMED, "digits", replace(NAMED["digits"], load=lambda _: wrong))
    with pytest.raises(EnvironmentFault, match="must have SHA-256"):
        load_named("digits")


@pytest.mark.parametrize("name", NAMED)
def test_labels_follow_the_rules_for_labels(name):
    assert set(check_labels(NAMED[name].labels, name)) == set(NAMED[name].labels)


def refuse(*_args, **_options):
    raise EnvironmentFault("there", "must be reachable", "a closed door")


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_when_no_way_works_all_are_named(name, monkeypatch):
    for function in ("download", "from_package", "_client"):
        monkeypatch.setattr(origins, function, refuse)
    monkeypatch.setattr(origins, "_DEBIAN_FOLDER", origins._DEBIAN_FOLDER / "none")
    with pytest.raises(EnvironmentFault, match=r"a closed door.*a closed door.*--data") as caught:
        load_named(name)
    assert caught.value.exit_code == 5


def test_cifar_from_pictures_equals_cifar_from_the_binary_form(tmp_path, monkeypatch):
    """Both origins read made-up batches in their own layout and must agree; the real bytes are pinned by digest."""
    import io
    import json
    import tarfile

    from PIL import Image

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 20, 32, 32, 3), dtype=np.uint8)
    targets = rng.integers(0, 10, (6, 20), dtype=np.uint8)
    paths = {}
    with tarfile.open(tmp_path / "binary.tar.gz", "w:gz", compresslevel=1) as archive:
        for number, batch in enumerate(origins._CIFAR_BATCHES):
            paths[f"package/{batch}.png"] = tmp_path / f"{batch}.png"
            Image.fromarray(images[number].reshape(20, 1024, 3)).save(tmp_path / f"{batch}.png", compress_level=1)
            planes = images[number].transpose(0, 3, 1, 2).reshape(20, -1)
            rows = np.concatenate([targets[number][:, None], planes], axis=1).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{batch}.bin")
            info.size = len(rows)
            archive.addfile(info, io.BytesIO(rows))
    for part, chosen in (("train", targets[:5]), ("test", targets[5:])):
        paths[f"package/{part}_lables.json"] = tmp_path / f"{part}.json"
        (tmp_path / f"{part}.json").write_text(json.dumps(chosen.reshape(-1).tolist()), encoding="utf-8")
    monkeypatch.setattr(origins, "from_package", lambda package, progress: paths)
    monkeypatch.setattr(
        origins, "download", lambda url, target, digest: target.write_bytes((tmp_path / "binary.tar.gz").read_bytes())
    )
    for found in (origins._cifar_package(SILENT), origins._cifar_official(SILENT)):
        assert np.array_equal(found[0], images.reshape(-1, 32, 32, 3))
        assert np.array_equal(found[1], targets.reshape(-1))


def test_idx_files_are_held_to_their_digests():
    images = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    files = {
        "train-images": gzip.compress(bytes(16) + images.tobytes()),
        "train-labels": gzip.compress(bytes(8) + b"\x03\x04"),
        "t10k-images": gzip.compress(bytes(16) + images[:1].tobytes()),
        "t10k-labels": gzip.compress(bytes(8) + b"\x05"),
    }
    pinned = {name: sha256(data) for name, data in files.items()}
    found = origins._idx_arrays(files, pinned)
    assert np.array_equal(found[0], np.concatenate([images, images[:1]]))
    assert found[1].tolist() == [3, 4, 5]
    with pytest.raises(EnvironmentFault, match="train-labels: must have SHA-256"):
        origins._idx_arrays({**files, "train-labels": files["t10k-labels"]}, pinned)


@pytest.mark.parametrize("command", [["false"], ["dltk-no-such-tool"]])
def test_a_client_that_fails_is_the_environments_fault(command, tmp_path):
    with pytest.raises(EnvironmentFault, match=command[0]):
        origins._client(command, str(tmp_path))
