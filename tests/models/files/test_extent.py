"""What a small file may ask for: weights that are not there, activations out of proportion, layers without end."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest

import small
from dltk.base.errors import InputError
from dltk.models.files.config import require_few_layers
from dltk.models.files.extent import batch_within, largest_activation, require_modest_activations

pytestmark = small.QUIET
MEMORY, SECONDS = 500_000_000, 10
CHILD = """
import resource, sys, time
from pathlib import Path
import keras, tensorflow, h5py, dltk.workflows
from dltk.base.errors import DltkError
from dltk.models.files.keras_file import open_keras
keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])(keras.ops.zeros((1, 4)))
def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) * 1024
for path in sys.argv[1:]:
    before, start = peak(), time.monotonic()
    try:
        open_keras(Path(path))
        said = "opened"
    except DltkError as fault:
        said = f"{fault.exit_code} {fault}"
    print(f"{peak() - before}\\t{time.monotonic() - start:.2f}\\t{said}", flush=True)
"""


def _saved(path, *layers, shape=(8, 8, 3)):
    import keras

    keras.Sequential([keras.Input(shape), *layers]).save(path)


def _bombs(folder):
    """Path -> part of what is said; all of a few kilobytes."""
    from keras import layers

    pool = layers.GlobalAveragePooling2D()
    made = {
        "upsampling": ([layers.UpSampling2D(400), pool, layers.Dense(2)], (8, 8, 3)),
        "twice": ([layers.UpSampling2D(20), layers.UpSampling2D(20), pool, layers.Dense(2)], (8, 8, 3)),
        "repeated": ([layers.RepeatVector(10**7), layers.GlobalAveragePooling1D(), layers.Dense(2)], (3,)),
        "padded": ([layers.ZeroPadding2D(3000), pool, layers.Dense(2)], (8, 8, 3)),
        "resized": ([layers.Resizing(4000, 4000), pool, layers.Dense(2)], (8, 8, 3)),
        "encoded": ([layers.CategoryEncoding(10**8, "one_hot"), layers.GlobalAveragePooling1D()], (3,)),
        "transposed": ([layers.Conv2DTranspose(1, 1, strides=900), pool, layers.Dense(2)], (8, 8, 3)),
        "any-size": ([layers.UpSampling2D(400), pool, layers.Dense(2)], (None, None, 3)),
        "windows": ([layers.ZeroPadding2D(500), layers.MaxPooling2D(900, 1, "same"), pool], (8, 8, 3)),
    }
    for name, (stack, shape) in made.items():
        if name == "any-size":
            stack = [layers.UpSampling2D(400), layers.GlobalAveragePooling2D(), layers.Dense(2)]
        stack = [type(layer).from_config(layer.get_config()) for layer in stack]
        _saved(folder / f"{name}.keras", *stack, shape=shape)
    inner = [layers.UpSampling2D(400), layers.GlobalAveragePooling2D()]
    import keras

    nested = keras.Sequential([keras.Input((8, 8, 3)), *inner])
    _saved(folder / "nested.keras", layers.TimeDistributed(nested), layers.Flatten(), shape=(2, 8, 8, 3))
    free = keras.Sequential([keras.Input((None, None, 3)), layers.UpSampling2D(400), layers.GlobalAveragePooling2D()])
    image = keras.Input((None, None, 3))
    keras.Model(image, layers.Dense(2)(free(image))).save(folder / "nested-any-size.keras")
    tokens = keras.Input((8, 8, 3))
    flat = layers.Reshape((-1, 3))(layers.UpSampling2D(40)(tokens))
    keras.Model(tokens, layers.Attention()([flat, flat])).save(folder / "attention.keras")
    return sorted(folder.glob("*.keras"))


def _unallocated(path, chunks):
    """A sound model whose weights declare what was never written; `chunks`: datasets of 60 MB."""
    import h5py

    _saved(path, *_small())
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    data.write(members["model.weights.h5"])
    with h5py.File(data, "r+") as opened:
        for number in range(chunks):
            opened.create_dataset(f"extra/{number}", (15_000_000,), "f4", chunks=(1000,))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, member in (members | {"model.weights.h5": data.getvalue()}).items():
            new.writestr(name, member)


def _small():
    from keras import layers

    return [layers.Flatten(), layers.Dense(2)]


def _changed(path, change):
    _saved(path, *_small())
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, member in (members | {"config.json": json.dumps(config).encode()}).items():
            new.writestr(name, member)


def _many(config):
    layer = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "registered_name": None, "build_config": {}}
    config["config"]["layers"][-1:-1] = [layer | {"config": {"name": f"r{number}"}} for number in range(30_000)]


def _nested(config):
    inner = config["config"]["layers"][-1]
    for _ in range(150):
        inner = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
    config["config"]["layers"][-1] = inner


def _spectrum(config):
    told = {"mode": "log", "frame_length": 10**6, "frame_step": 1, "fft_length": 10**9}
    layer = {"module": "keras.layers", "class_name": "STFTSpectrogram", "config": told, "registered_name": None}
    config["config"]["layers"].insert(1, layer)


def _units(config):
    config["config"]["layers"][-1]["config"]["units"] = 10**9


def test_small_files_that_ask_for_gigabytes_are_refused_at_once(tmp_path):
    cases = dict.fromkeys(map(str, _bombs(tmp_path)), "bytes of a sample")
    cases[str(tmp_path / "windows.keras")] = "operations a sample"
    for name, count in (("one", 1), ("hundred", 100)):
        _unallocated(tmp_path / f"unallocated-{name}.keras", count)
        cases[str(tmp_path / f"unallocated-{name}.keras")] = "must declare at most 20 times the bytes it has"
    for change, says in (
        (_many, "at most 5000 layers"), (_nested, "must nest at most 64 deep"), (_spectrum, "coefficients"),
        (_units, "must be a whole Keras model"),
    ):  # fmt: skip
        _changed(tmp_path / f"{change.__name__}.keras", change)
        cases[str(tmp_path / f"{change.__name__}.keras")] = says
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *cases], capture_output=True, text=True, check=True,
        env=small.environment(TF_CPP_MIN_LOG_LEVEL="3"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (200, 200)),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(cases)
    for (path, says), line in zip(cases.items(), lines, strict=True):
        memory, seconds, said = line.split("\t")
        assert said.startswith("3 "), (path, said)
        assert says in said, (path, said)
        assert int(memory) < MEMORY, (path, line)
        assert float(seconds) < SECONDS, (path, line)


def test_honest_models_are_opened():
    """A U-Net's first block, a generator, a network over sound, a classifier that takes any size."""
    import keras
    from keras import layers

    wide = [keras.Input((1024, 1024, 3)), layers.Conv2D(64, 3, padding="same")]
    grown = [keras.Input((32,)), layers.Dense(4 * 4 * 256), layers.Reshape((4, 4, 256))]
    grown += [layers.Conv2DTranspose(64, 4, 2, "same") for _ in range(6)] + [layers.Conv2D(3, 3, padding="same")]
    heard = [keras.Input((16_000, 1)), layers.Conv1D(128, 3, padding="same"), layers.GlobalAveragePooling1D()]
    free = [keras.Input((None, None, 3)), layers.Conv2D(64, 3), layers.GlobalAveragePooling2D()]
    deep = keras.applications.MobileNetV3Small(input_shape=(None, None, 3), include_top=False, weights=None)
    assert largest_activation(deep) < 8_000_000
    require_modest_activations(deep, 4_000_000, "model")
    for stack in (wide, grown, heard, free):
        require_modest_activations(keras.Sequential(stack), 20_000, "model")


def test_a_batch_keeps_within_256_mb():
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((512, 512, 3)), layers.Conv2D(64, 3, padding="same")])
    assert largest_activation(model) == 512 * 512 * 64 * 4
    assert batch_within(model, 64) == 3
    assert batch_within(keras.Sequential([keras.Input((8,)), layers.Dense(4)]), 64) == 64


@pytest.mark.parametrize("seed", range(60))
def test_any_json_is_held_to_a_size_without_an_exception(seed):
    draw = np.random.default_rng(seed)

    def value(depth):
        kind = draw.integers(0, 7 if depth < 12 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(draw.integers(0, 4))]
        if kind == 6:
            keys = ["class_name", "config", "fft_length", "num_mel_bins", "inbound_nodes", "layers", "name"]
            return {str(draw.choice(keys)): value(depth + 1) for _ in range(draw.integers(0, 5))}
        return [None, "x", -1, 1e300, 10**30][kind]

    with suppress(InputError):
        require_few_layers(value(0), "model")
