"""Hostile bundles. Their manifests are sound and sealed over the hostile file, unless the manifest is what is hostile."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import tiny
from attacks.kit import Attack, Case, Place
from dltk.base.files import canonical_json, sha256
from dltk.edge.families import family
from dltk.edge.signature import Signature
from edge.signatures import AUDIO, TEXT

__all__ = ["BUNDLES", "npz_of", "sound", "with_model"]

_ONE = {"model.float32.onnx": None}  # a bundle of one artifact


def sound(folder: Path, file: str = "model.float32.onnx", data: bytes | None = None) -> Path:
    """A small bundle with one artifact: a sound one, or `data`."""
    made = data if data is not None else (tiny.onnx() if file.endswith("onnx") else tiny.tflite())
    tiny.write_bundle(folder, {file: made})
    return folder


def with_model(folder: Path, signature: Signature) -> Path:
    """A sound bundle of `signature` around an ONNX model that gives zeros."""
    golden = {"raw": np.zeros(1)}
    files = {"golden.npz": tiny.npz_bytes(golden), **signature.assets, "model.float32.onnx": _zeros(signature)}
    _sealed(folder, files, signature)
    return folder


def _sealed(folder: Path, files: Mapping[str, bytes], signature: Signature = tiny.SIGNATURE) -> None:
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


# --- ONNX


def _external(location: Callable[[Place], str], *, within: str = "") -> Attack:
    """A model whose bias lies in another file; ONNX Runtime looks for that where the user stands."""

    def attack(place: Place) -> Case:
        from onnx import ModelProto, TensorProto, helper

        size = 3000  # small tensors are read by other code of ONNX Runtime, which refuses them
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[size], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location(place)), ("offset", "0"), ("length", str(4 * size))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        model = ModelProto()
        model.ParseFromString(tiny.onnx())
        constant = helper.make_node("Constant", [], ["w"])
        attribute = constant.attribute.add()
        attribute.name, attribute.type = "value", 4
        attribute.t.CopyFrom(tensor)
        if within == "branch":
            ports = [helper.make_tensor_value_info("w", TensorProto.FLOAT, [size])]
            branch = helper.make_graph([constant], "branch", [], ports)
            model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
            model.graph.node.insert(0, helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch))
        elif within == "constant":
            model.graph.node.insert(0, constant)
        else:
            model.graph.initializer.append(tensor)
        model.graph.node[-1].output[0] = "y"
        model.graph.node.append(helper.make_node("ReduceMax", ["w"], ["top"], keepdims=0))
        model.graph.node.append(helper.make_node("Add", ["y", "top"], ["logits"]))
        sound(place.inside / "bundle", data=bytes(model.SerializeToString()))
        _picture(place)
        return Case(("predict", "bundle", "a.png"), "must hold its weights itself")

    return attack


def _hard_link(place: Place) -> str:
    os.link(place.secret, place.inside / "weights.bin")
    return "weights.bin"


def _beside(place: Place) -> str:
    os.symlink(place.secret, place.inside / "weights.bin")
    return "weights.bin"


def _deep_onnx(place: Place) -> Case:
    """Graphs in attributes of nodes of graphs, a thousand deep: protobuf's own parser stops at a hundred."""
    graph = b""
    for _ in range(1000):
        graph = _field(1, _field(5, _field(6, graph)))
    return _predicted(place, "model.float32.onnx", b"\x08\x08" + _field(7, graph), "must load in ONNX Runtime")


def _field(number: int, payload: bytes) -> bytes:
    return bytes(_varint(number << 3 | 2)) + bytes(_varint(len(payload))) + payload


def _varint(value: int) -> bytearray:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return found


def _declared_onnx(place: Place) -> Case:
    from onnx import ModelProto

    model = ModelProto()
    model.ParseFromString(tiny.onnx())
    model.graph.initializer[0].dims[:] = [10**12]
    return _predicted(place, "model.float32.onnx", model.SerializeToString(), "must load in ONNX Runtime")


def _made_onnx(place: Place) -> Case:
    """A file of some bytes whose run asks for four terabytes."""
    from onnx import ModelProto, TensorProto, helper

    model = ModelProto()
    model.ParseFromString(tiny.onnx())
    model.graph.node[-1].output[0] = "y"
    model.graph.initializer.append(helper.make_tensor("size", TensorProto.INT64, [1], [10**12]))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["size"], ["large"]))
    model.graph.node.append(helper.make_node("ReduceMax", ["large"], ["top"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["y", "top"], ["logits"]))
    return _predicted(place, "model.float32.onnx", model.SerializeToString(), "must run in ONNX Runtime")


# --- TFLite


def _wild_root(place: Place) -> Case:
    data = b"\xff\xff\xff\x7f" + tiny.tflite()[4:]
    return _predicted(place, "model.float32.tflite", data, "must load in the TFLite runtime")


def _wild_tables(place: Place) -> Case:
    data = tiny.tflite()
    wild = data[:64] + b"\xf0\xff\xff\x7f" * ((len(data) - 64) // 4)
    return _predicted(place, "model.float32.tflite", wild, "must load in the TFLite runtime")


def _huge_tflite(place: Place) -> Case:
    """A tensor of 2^62 numbers between two layers."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tiny.tflite(), 0))
    for tensor in model.subgraphs[0].tensors:
        if tensor.name == b"kernel":
            tensor.shape = [2**31 - 1, 2**31 - 1]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return _predicted(place, "model.float32.tflite", bytes(builder.Output()), "must load in the TFLite runtime")


def _predicted(place: Place, file: str, data: bytes, says: str) -> Case:
    sound(place.inside / "bundle", file, data)
    _picture(place)
    return Case(("predict", "bundle", "a.png"), says)


def _picture(place: Place) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), "red").save(place.inside / "a.png")


# --- manifest


def _manifest(change: Callable[[dict[str, Any], Place], bytes | None], says: str) -> Attack:
    """A manifest with any content under a digest that fits, or any bytes."""

    def attack(place: Place) -> Case:
        path = sound(place.inside / "bundle") / "manifest.json"
        content = json.loads(path.read_bytes())
        raw = change(content, place)
        del content["digest"]
        if raw is None:
            raw = canonical_json(content | {"digest": sha256(canonical_json(content))})
        path.write_bytes(raw)
        return Case(("validate", "bundle"), says)

    return attack


def _named(name: Callable[[Place], str]) -> Callable[[dict[str, Any], Place], None]:
    def change(content: dict[str, Any], place: Place) -> None:
        data = place.secret.read_bytes()
        content["files"][name(place)] = {"bytes": len(data), "sha256": sha256(data)}

    return change


def _range(content: dict[str, Any], place: Place) -> None:
    content["signature"]["inputs"][0]["value_range"] = [-1.0, 10**400]


def _tolerance(content: dict[str, Any], place: Place) -> None:
    content["artifacts"][0]["parity"]["tolerance"] = 10**400


def _bytes(content: dict[str, Any], place: Place) -> None:
    content["files"]["labels.txt"]["bytes"] = 10**100


def _size(content: dict[str, Any], place: Place) -> None:
    content["signature"]["preprocess"][1]["height"] = 10**9


def _long_number(content: dict[str, Any], place: Place) -> bytes:
    return b'{"schema": ' + b"1" * 900_000 + b"}"


# --- files of the bundle


def _instead(name: str, put: Callable[[Path, Place], object], says: str, word: str = "validate") -> Attack:
    """Something else where a file of the bundle should stand."""

    def attack(place: Place) -> Case:
        path = sound(place.inside / "bundle") / name
        path.unlink()
        put(path, place)
        _picture(place)
        return Case((word, "bundle", *(["a.png"] if word == "predict" else [])), says)

    return attack


def _golden(data: Callable[[Place], bytes], says: str) -> Attack:
    def attack(place: Place) -> Case:
        _sealed(place.inside / "bundle", {"golden.npz": data(place), "model.float32.onnx": tiny.onnx()})
        return Case(("validate", "bundle"), says)

    return attack


def _pickled(place: Place) -> bytes:
    """An array of objects that is a call of os.system."""
    pickle = b"cos\nsystem\n(S'touch " + os.fsencode(place.canary) + b"'\ntR."
    return npz_of(npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", pickle), "raw.npy")


def _expanding(place: Place) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**9},), }}\n"
    stream = BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("raw.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(header, b""))
        for _ in range(100):
            member.write(bytes(10**7))
    return stream.getvalue()


def _slipping(place: Place) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"../../../..{place.canary}", b"x")
        archive.writestr(str(place.canary), b"x")
    return stream.getvalue()


# --- assets


def _asset(signature: Signature, data: bytes, says: str, words: tuple[str, ...]) -> Attack:
    """A bundle whose tokenizer is hostile."""

    def attack(place: Place) -> Case:
        steps = [{**op, "sha256": sha256(data)} if "file" in op else op for op in signature.preprocess]
        changed = Signature(
            signature.task, signature.family, signature.inputs, signature.outputs, tuple(steps),
            signature.postprocess, signature.labels, {name: data for name in signature.assets},
        )  # fmt: skip
        with_model(place.inside / "bundle", changed)
        return Case(("predict", "bundle", *words), says)

    return attack


def _tokenizer(**model: Any) -> bytes:
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
    whole |= {"pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}
    return json.dumps(whole).encode()


# --- archives


def _archive(change: Callable[[Path, Place], None], says: str) -> Attack:
    def attack(place: Place) -> Case:
        path = place.inside / "bundle.dltk"
        change(path, place)
        return Case(("validate", str(path.name)), says)

    return attack


def _zipped(path: Path, place: Place) -> None:
    """A whole bundle in an archive, with a member that leads out of it."""
    folder = sound(place.inside / "loose")
    with zipfile.ZipFile(path, "w") as archive:
        for entry in sorted(folder.iterdir()):
            archive.write(entry, entry.name)
        archive.writestr(f"../..{place.canary}", b"x")
    shutil.rmtree(folder)


def _zip_bomb(path: Path, place: Place) -> None:
    path.write_bytes(npz_of(bytes(10**9), "manifest.json"))


_SLOW_REGEX = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "b"}

BUNDLES: Mapping[str, Attack] = {
    "onnx-data-beside": _external(_beside),
    "onnx-data-hard-link": _external(_hard_link),
    "onnx-data-absolute": _external(lambda place: str(place.secret)),
    "onnx-data-parent": _external(lambda place: "../secret.bin"),
    "onnx-data-in-constant": _external(_hard_link, within="constant"),
    "onnx-data-in-branch": _external(_hard_link, within="branch"),
    "onnx-deep": _deep_onnx,
    "onnx-declares-terabytes": _declared_onnx,
    "onnx-makes-terabytes": _made_onnx,
    "tflite-wild-root": _wild_root,
    "tflite-wild-tables": _wild_tables,
    "tflite-huge-shape": _huge_tflite,
    "manifest-deep": _manifest(lambda c, p: b'{"schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "valid JSON"),
    "manifest-key-twice": _manifest(lambda c, p: b'{"schema": 1, "schema": 1}', "a key stands twice"),
    "manifest-nan": _manifest(lambda c, p: b'{"schema": NaN}', "NaN is not JSON"),
    "manifest-long-number": _manifest(_long_number, "valid JSON"),
    "manifest-huge-range": _manifest(_range, "value_range must be null or two numbers"),
    "manifest-huge-tolerance": _manifest(_tolerance, "needs a measure and a tolerance"),
    "manifest-huge-size": _manifest(_bytes, "labels.txt"),
    "manifest-huge-picture": _manifest(_size, "height must be a whole number of pixels up to 8192"),
    "manifest-name-parent": _manifest(_named(lambda place: "../secret.bin"), "must be a plain file name"),
    "manifest-name-absolute": _manifest(_named(lambda place: str(place.secret)), "must be a plain file name"),
    "manifest-name-nul": _manifest(_named(lambda place: "a\0b"), "must be a plain file name"),
    "file-is-a-link": _instead("model.float32.onnx", lambda path, place: path.symlink_to(place.secret), "regular file"),
    "file-is-a-link-at-load": _instead(
        "model.float32.onnx", lambda path, place: path.symlink_to(place.secret), "regular file", "predict"
    ),
    "file-is-a-pipe": _instead("labels.txt", lambda path, place: os.mkfifo(path), "regular file"),
    "manifest-is-a-link": _instead("manifest.json", lambda path, place: path.symlink_to(place.secret), "regular file"),
    "manifest-is-a-pipe": _instead("manifest.json", lambda path, place: os.mkfifo(path), "regular file"),
    "golden-pickle": _golden(_pickled, "must be an .npz of plain arrays"),
    "golden-bomb": _golden(_expanding, "must not unpack to over 100 times its size"),
    "golden-terabyte-header": _golden(
        lambda place: npz_of(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,), }\n")),
        "must be an .npz of plain arrays",
    ),
    "golden-header-no-python": _golden(lambda place: npz_of(npy("{'descr': (((((")), "must be an .npz of plain arrays"),
    "golden-zip-slip": _golden(_slipping, "must hold"),
    "tokenizer-deep": _asset(TEXT, b"[" * 10**6, "must be valid JSON", ("a text",)),
    "tokenizer-unknown": _asset(TEXT, b'{"model": {"type": "Run", "path": "/"}}', "must be a tokenizer", ("a text",)),
    "tokenizer-huge-numbers": _asset(
        TEXT,
        _tokenizer(type="WordLevel", vocab={"[PAD]": 0, "a text": 2**31}, unk_token="[PAD]"),  # noqa: S106
        "must give numbers up to",
        ("a text",),
    ),
    "archive-slip": _archive(_zipped, "bundle.dltk"),
    "archive-bomb": _archive(_zip_bomb, "bundle.dltk"),
}
