"""Real model files of a few hundred bytes, written without TensorFlow, and a bundle around them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from dltk.base.files import canonical_json, sha256
from dltk.edge.bundle.arrays import npz_bytes
from dltk.edge.bundle.manifest import MANIFEST, Artifact, FileEntry, Manifest
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family

SIDE, LABELS = 4, ("cat", "dog", "owl")
FEATURES, CLASSES = SIDE * SIDE * 3, len(LABELS)
IMAGE_AXES = ("batch", "height", "width", "channel")

SIGNATURE = Signature(
    task="image-classification",
    family="classification",
    inputs=(TensorSpec("image", "float32", (None, SIDE, SIDE, 3), IMAGE_AXES, (-1.0, 1.0)),),
    outputs=(TensorSpec("logits", "float32", (None, CLASSES), ("batch", "class")),),
    preprocess=(
        {"op": "decode", "mode": "RGB", "max_pixels": 10_000},
        {"op": "resize", "height": SIDE, "width": SIDE, "method": "bilinear", "fit": "stretch"},
        {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3},
    ),
    postprocess=({"op": "softmax", "temperature": 1.0},),
    labels=LABELS,
)


def manifest_bytes(content: dict) -> bytes:
    """`content` as a canonical manifest with a digest that fits, so that only the content can be at fault."""
    content = {key: value for key, value in content.items() if key != "digest"}
    return canonical_json(content | {"digest": sha256(canonical_json(content))})


def weights() -> tuple[np.ndarray, np.ndarray]:
    """Kernel float32 (classes, features) and bias float32 (classes,) of the one dense layer."""
    generator = np.random.Generator(np.random.PCG64(7))
    return generator.normal(0, 0.3, (CLASSES, FEATURES)).astype(np.float32), np.array([0.1, 0.0, -0.1], np.float32)


def raws(count: int = 16, seed: int = 3) -> np.ndarray:
    """Raw samples uint8 (count, 4, 4, 3)."""
    return family("classification").synthetic(SIGNATURE, count=count, seed=seed)


def reference(samples: np.ndarray) -> dict[str, np.ndarray]:
    """What the dense layer gives, in NumPy."""
    kernel, bias = weights()
    image = family("classification").tensors(samples, SIGNATURE)["image"]
    return {"logits": image.reshape(len(image), -1) @ kernel.T + bias}


def tflite(
    precision: str = "float32", *, input_name: str = "image", named: bool = True, given: int | None = None
) -> bytes:
    """A FULLY_CONNECTED layer: "float32", "int8" (float border) or "int8-io" (int8 border).

    `given` is the number of the tensor that the signature calls logits: where another stands, the file is damaged.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    model.operatorCodes, graph.tensors, graph.operators = [], [], []
    add = _Graph(schema, model, graph)
    kernel, bias = weights()
    shape, logits = [1, SIDE, SIDE, 3], [1, CLASSES]
    if precision == "float32":
        first, last = add.tensor(input_name, shape, np.float32), add.tensor("logits", logits, np.float32)
        add.dense(first, add.constant("kernel", kernel), add.constant("bias", bias), last)
    else:
        scale = float(np.abs(kernel).max() / 127)
        inside, result = add.tensor("in8", shape, np.int8, 1 / 127, 0), add.tensor("out8", logits, np.int8, 0.1, 0)
        whole = add.constant("kernel", np.rint(kernel / scale).astype(np.int8), scale)
        add.dense(
            inside, whole, add.constant("bias", np.rint(bias * 127 / scale).astype(np.int32), scale / 127), result
        )
        first, last = inside, result
        if precision == "int8":
            first, last = add.tensor(input_name, shape, np.float32), add.tensor("logits", logits, np.float32)
            add.operator(schema.BuiltinOperator.QUANTIZE, [first], [inside], at=0)
            add.operator(schema.BuiltinOperator.DEQUANTIZE, [result], [last])
    graph.inputs, graph.outputs = [first], [last]
    if named:
        model.signatureDefs = [add.signature({input_name: first}, {"logits": last if given is None else given})]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Graph:
    """Puts tensors and operators into a flatbuffer's object form."""

    def __init__(self, schema, model, graph) -> None:
        self.schema, self.model, self.graph = schema, model, graph
        self.types = {
            np.float32: schema.TensorType.FLOAT32,
            np.int8: schema.TensorType.INT8,
            np.int32: schema.TensorType.INT32,
        }

    def tensor(self, name, shape, dtype, scale=None, zero_point=0, buffer=0) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), self.types[dtype], buffer
        if scale is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name, values, scale=None) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self.tensor(name, values.shape, values.dtype.type, scale, buffer=len(self.model.buffers) - 1)

    def operator(self, code, inputs, outputs, options=None, *, at=None) -> None:
        kind = self.schema.OperatorCodeT()
        kind.builtinCode, kind.deprecatedBuiltinCode, kind.version = code, min(code, 127), 1
        self.model.operatorCodes.append(kind)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes) - 1, inputs, outputs
        if options is not None:
            operator.builtinOptionsType, operator.builtinOptions = options
        self.graph.operators.insert(len(self.graph.operators) if at is None else at, operator)

    def dense(self, source, kernel, bias, target) -> None:
        options = (self.schema.BuiltinOptions.FullyConnectedOptions, self.schema.FullyConnectedOptionsT())
        self.operator(self.schema.BuiltinOperator.FULLY_CONNECTED, [source, kernel, bias], [target], options)
        self.model.operatorCodes[-1].version = 4

    def signature(self, inputs, outputs):
        found = self.schema.SignatureDefT()
        found.signatureKey, found.subgraphIndex = "serving_default", 0
        found.inputs, found.outputs = self._maps(inputs), self._maps(outputs)
        return found

    def _maps(self, names):
        found = []
        for name, index in names.items():
            item = self.schema.TensorMapT()
            item.name, item.tensorIndex = name, index
            found.append(item)
        return found


def onnx(precision: str = "float32", *, shift: float = 0.0) -> bytes:
    """Flatten and Gemm; "int8" with quantize and dequantize nodes around it."""
    import onnx as package
    from onnx import TensorProto, helper, numpy_helper

    kernel, bias = weights()
    scale = np.float32(np.abs(kernel).max() / 127)
    constants = {"bias": bias + np.float32(shift), "kernel": kernel}
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["a", "k", "b"], ["y"], transB=1),
    ]
    if precision == "float32":
        nodes[1].input[:], nodes[1].output[:] = ["flat", "kernel", "bias"], ["logits"]
    else:
        constants = {
            "kernel8": np.rint(kernel / scale).astype(np.int8),
            "bias32": np.rint(bias * 127 / scale).astype(np.int32),
            "ks": scale,
            "kz": np.int8(0),
            "xs": np.float32(1 / 127),
            "xz": np.uint8(128),
            "bs": np.float32(scale / 127),
            "bz": np.int32(0),
            "ys": np.float32(0.1),
        }
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "xs", "xz"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
            helper.make_node("Flatten", ["d"], ["f"]),
            helper.make_node("QuantizeLinear", ["f", "xs", "xz"], ["fq"]),
            helper.make_node("DequantizeLinear", ["fq", "xs", "xz"], ["a"]),
            helper.make_node("DequantizeLinear", ["kernel8", "ks", "kz"], ["k"]),
            helper.make_node("DequantizeLinear", ["bias32", "bs", "bz"], ["b"]),
            nodes[1],
            helper.make_node("QuantizeLinear", ["y", "ys", "xz"], ["yq"]),
            helper.make_node("DequantizeLinear", ["yq", "ys", "xz"], ["logits"]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    package.checker.check_model(model)
    return bytes(model.SerializeToString())


PARITY = {
    "float32": {"measure": "max_abs", "error": 0.0, "tolerance": 1e-5},
    "int8": {"measure": "cosine", "error": 0.0, "tolerance": 0.99, "top1_agreement": 1.0, "top1_tolerance": 0.95},
}


def artifact(file: str, data: bytes) -> Artifact:
    """What the manifest says of a model file called model.PRECISION.FORMAT."""
    _, precision, form = file.split(".")
    return Artifact(
        file=file,
        format=form,
        precision=precision,
        minimum_runtime="1.0",
        operators={},
        ranges="none" if precision == "float32" else "shared",
        parity=PARITY["float32" if precision == "float32" else "int8"],
        metric=None,
        bytes=len(data),
        download_bytes=len(gzip.compress(data, 9, mtime=0)),
    )


def write_bundle(
    folder: Path, models: dict[str, bytes], *, signature: Signature = SIGNATURE, golden=None, more=None
) -> Manifest:
    """A whole, sound bundle in `folder` with these model files, and `more` files."""
    samples = raws(8)
    golden = golden or {
        "raw": samples,
        "tensor:image": family("classification").tensors(samples, signature)["image"],
        "output:logits": reference(samples)["logits"],
    }
    files = {**models, **(more or {})}
    files["golden.npz"] = npz_bytes(golden)
    files["labels.txt"] = "".join(f"{label}\n" for label in signature.labels).encode()
    manifest = Manifest(
        name="tiny",
        signature=signature,
        artifacts=tuple(artifact(file, data) for file, data in models.items()),
        files={name: FileEntry(len(data), sha256(data)) for name, data in files.items()},
        lineage={"recipe": "tiny"},
        gate={"drop": 0.02},
    )
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def recurrent_tflite() -> bytes:
    """One UNIDIRECTIONAL_SEQUENCE_RNN of one unit over two steps: h = relu(0.5 x + 0.5 h), all states given."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    model.operatorCodes, graph.tensors, graph.operators = [], [], []
    add, half = _Graph(schema, model, graph), np.full((1, 1), 0.5, np.float32)
    first, last = add.tensor("series", [1, 2, 1], np.float32), add.tensor("states", [1, 2, 1], np.float32)
    state = add.tensor("state", [1, 1], np.float32)
    graph.tensors[state].isVariable = True
    options = schema.SequenceRNNOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    inputs = [
        first,
        add.constant("w", half),
        add.constant("r", half),
        add.constant("b", np.zeros(1, np.float32)),
        state,
    ]
    code = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_RNN
    add.operator(code, inputs, [last], (schema.BuiltinOptions.SequenceRNNOptions, options))
    graph.inputs, graph.outputs = [first], [last]
    model.signatureDefs = [add.signature({"series": first}, {"states": last})]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
