"""Keras files of kilobytes that ask for gigabytes or minutes, each made from a seed, through `dltk adopt`."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attacks.kit import Attack, Case, Place

__all__ = ["KERAS_BOMBS", "SEEDS"]

SEEDS = range(3)
Members = dict[str, bytes]
Draw = np.random.Generator


def _layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "registered_name": None, "config": {"name": name, **config},
            "build_config": None}  # fmt: skip


def _sequence(side: int, *layers: dict[str, Any]) -> dict[str, Any]:
    first = _layer("InputLayer", "image", batch_shape=[None, side, side, 3], dtype="float32", sparse=False)
    last = _layer("Dense", "logits", units=10, activation="linear")
    config = {"name": "net", "trainable": True, "layers": [first, *layers, last]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None,
            "build_config": {"input_shape": [None, side, side, 3]}}  # fmt: skip


_POOL = _layer("GlobalAveragePooling2D", "pool", data_format="channels_last", keepdims=False)


def _unallocated(members: Members, draw: Draw) -> None:
    """A weight whose file declares gigabytes and holds none of them."""
    import h5py

    units = int(draw.integers(30, 90)) * 10**6 // 2
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "a") as opened:
        (name,) = [name for name in opened["layers"] if name.startswith("dense")]
        place = opened[f"layers/{name}/vars"]
        del place["0"], place["1"]
        place.create_dataset("0", (3, units), "f4", chunks=(1, 1024), compression="gzip")
        place.create_dataset("1", (units,), "f4", chunks=(1024,))
    config = json.loads(members["config.json"])
    config["config"]["layers"][-1]["config"]["units"] = units
    members |= {"config.json": json.dumps(config).encode(), "model.weights.h5": stream.getvalue()}


def _upsampled(members: Members, draw: Draw) -> None:
    """Small weights, large activations: one repeated layer, or several one behind the other."""
    factor, count = [(int(draw.integers(300, 2000)), 1), (int(draw.integers(12, 30)), 3)][draw.integers(2)]
    kind = {"size": [factor, factor], "data_format": "channels_last", "interpolation": "nearest"}
    layers = [_layer("UpSampling2D", f"up{number}", **kind) for number in range(count)]
    members["config.json"] = json.dumps(_sequence(8, *layers, _POOL)).encode()


def _padded(members: Members, draw: Draw) -> None:
    """Zeros all around, or the sample again and again."""
    many = int(draw.integers(5_000, 50_000))
    layers = [
        [_layer("ZeroPadding2D", "pad", padding=[[many, many], [many, many]], data_format="channels_last"), _POOL],
        [_POOL, _layer("RepeatVector", "many", n=many * 10_000), _layer("GlobalAveragePooling1D", "again")],
    ][draw.integers(2)]
    members["config.json"] = json.dumps(_sequence(8, *layers)).encode()


def _many(members: Members, draw: Draw) -> None:
    """Thousands of layers in a file that deflates to kilobytes."""
    count = int(draw.integers(20_000, 60_000))
    layers = [_layer("ReLU", f"r{number}") for number in range(count)]
    members["config.json"] = json.dumps(_sequence(8, *layers, _POOL)).encode()


def _large_image(members: Members, draw: Draw) -> None:
    """An input of any size, so that the data are decoded to that size."""
    side = int(draw.integers(20_000, 2_000_000))
    members["config.json"] = json.dumps(_sequence(side, _POOL)).encode()


_KINDS: Mapping[str, tuple[Callable[[Members, Draw], None], str]] = {  # and what must be said
    "unallocated": (_unallocated, "must not unpack to over 100 times its size"),
    "upsampled": (_upsampled, "must make at most"),
    "padded": (_padded, "must make at most"),
    "many-layers": (_many, "must have at most 5000 layers"),
    "large-image": (_large_image, "data.size: must lie between 0 and 1024"),
}


def _bomb(kind: Callable[[Members, Draw], None], says: str, seed: int) -> Callable[[Path], Attack]:
    def of(sound: Path) -> Attack:
        def attack(place: Place) -> Case:
            with zipfile.ZipFile(sound) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            kind(members, np.random.default_rng(seed))
            with zipfile.ZipFile(place.inside / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
            assert (place.inside / "model.keras").stat().st_size < 1_000_000
            recipe = ("cnn", "image-classification")[seed % 2]
            return Case(("adopt", "model.keras", "--recipe", recipe, "--data", "digits", "--run", "run"), says)

        return attack

    return of


# Name -> an attack made of a sound .keras file: 8 x 8 x 3 -> GlobalAveragePooling2D -> Dense(10).
KERAS_BOMBS: Mapping[str, Callable[[Path], Attack]] = {
    f"{name}-{seed}": _bomb(kind, says, int(os.environ.get("DLTK_SEED", "0")) * 1000 + seed)
    for name, (kind, says) in _KINDS.items()
    for seed in SEEDS
}
