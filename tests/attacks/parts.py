"""What hostile bundles are made of. Manifests are sound and sealed over the hostile file."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import tiny
from attacks.kit import Case, Place
from dltk.base.files import sha256
from dltk.edge.bundle.signature import Signature

__all__ = ["npy", "npz_of", "picture", "predicted", "sealed", "sound", "with_model"]


def sound(folder: Path, file: str = "model.float32.onnx", data: bytes | None = None) -> Path:
    """A small bundle with one artifact: a sound one, or `data`."""
    made = data if data is not None else (tiny.onnx() if file.endswith("onnx") else tiny.tflite())
    tiny.write_bundle(folder, {file: made})
    return folder


def with_model(folder: Path, signature: Signature, golden: Mapping[str, Any] | None = None) -> Path:
    """A sound bundle of `signature` around an ONNX model that gives zeros."""
    golden = golden or {"raw": np.zeros(1)}
    files = {"golden.npz": tiny.npz_bytes(golden), **signature.assets, "model.float32.onnx": _zeros(signature)}
    sealed(folder, files, signature)
    return folder


def sealed(folder: Path, files: Mapping[str, bytes], signature: Signature = tiny.SIGNATURE) -> None:
    """A bundle of `files`, under a manifest that fits them."""
    models = {name: data for name, data in files.items() if name.startswith("model.")}
    manifest = tiny.Manifest(
        name="tiny",
        signature=signature,
        artifacts=tuple(tiny.artifact(name, data) for name, data in models.items()),
        files={name: tiny.FileEntry(len(data), sha256(data)) for name, data in files.items()},
    )
    folder.mkdir(parents=True)
    for name, data in {**files, tiny.MANIFEST: manifest.to_bytes()}.items():
        (folder / name).write_bytes(data)


def _zeros(signature: Signature) -> bytes:
    from onnx import TensorProto, helper

    kinds = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
    inputs, outputs = (
        [helper.make_tensor_value_info(s.name, kinds[s.dtype], ["batch", *s.shape[1:]]) for s in specs]
        for specs in (signature.inputs, signature.outputs)
    )
    size = signature.outputs[0].shape[1]
    nodes = [
        helper.make_node("Cast", [signature.inputs[0].name], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["wide"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "zeros"], [signature.outputs[0].name]),
    ]
    kept = [helper.make_node("Identity", [s.name], [f"unused {s.name}"]) for s in signature.inputs[1:]]
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, [1, size], [0.0] * size)
    graph = helper.make_graph(nodes + kept, "zeros", inputs, outputs, [zeros])
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def npz_of(member: bytes, name: str = "x.npy", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with one member."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, member)
    return stream.getvalue()


def npy(header: str, body: bytes = b"12345") -> bytes:
    """An .npy file with any header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def predicted(place: Place, file: str, data: bytes, says: str) -> Case:
    sound(place.inside / "bundle", file, data)
    picture(place)
    return Case(("predict", "bundle", "a.png"), says)


def picture(place: Place) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), "red").save(place.inside / "a.png")
