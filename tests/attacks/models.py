"""Hostile model files, each in a bundle that is sound otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import tiny
from attacks.kit import Attack, Case, Place
from attacks.parts import picture, predicted, sound

__all__ = ["MODELS"]


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
        picture(place)
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
    return predicted(place, "model.float32.onnx", b"\x08\x08" + _field(7, graph), "must load in ONNX Runtime")


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
    return predicted(place, "model.float32.onnx", model.SerializeToString(), "must load in ONNX Runtime")


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
    return predicted(place, "model.float32.onnx", model.SerializeToString(), "must run in ONNX Runtime")


# --- TFLite


def _wild_root(place: Place) -> Case:
    data = b"\xff\xff\xff\x7f" + tiny.tflite()[4:]
    return predicted(place, "model.float32.tflite", data, "must load in the TFLite runtime")


def _wild_tables(place: Place) -> Case:
    data = tiny.tflite()
    wild = data[:64] + b"\xf0\xff\xff\x7f" * ((len(data) - 64) // 4)
    return predicted(place, "model.float32.tflite", wild, "must load in the TFLite runtime")


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
    return predicted(place, "model.float32.tflite", bytes(builder.Output()), "must load in the TFLite runtime")


MODELS: Mapping[str, Attack] = {
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
}
