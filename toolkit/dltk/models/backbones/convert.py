"""From the files of a registry package to tensors under the names of `keras.applications`: "layer/weight" -> array."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import parse_json
from dltk.base.install import pip_package
from dltk.models.backbones.pth import read_pth

__all__ = ["CONVERTERS", "Tensors", "tflite_convolutions"]

Tensors = dict[str, np.ndarray]
_BATCH_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_CONV_2D, _DEPTHWISE = 3, 4  # numbers of these operators in the TFLite schema


def mobilenet_v2(files: Mapping[str, Path], digests: Mapping[str, str]) -> Tensors:
    """MobileNetV2 from the checkpoint of torchvision; (out, in, h, w) becomes (h, w, in, out)."""
    (member,) = files
    source = read_pth(files[member].read_bytes(), digest=digests[member], where=files[member])
    found: Tensors = {}

    def put(convolution: str, norm: str, convolution_from: str, norm_from: str) -> None:
        kernel = source[f"{convolution_from}.weight"]
        order = (2, 3, 0, 1) if convolution.endswith("depthwise") else (2, 3, 1, 0)
        found[f"{convolution}/kernel"] = kernel.transpose(order)
        for ours, theirs in _BATCH_NORM.items():
            found[f"{norm}/{ours}"] = source[f"{norm_from}.{theirs}"]

    put("Conv1", "bn_Conv1", "features.0.0", "features.0.1")
    for block in range(17):
        at, name = f"features.{block + 1}.conv", "expanded_conv" if block == 0 else f"block_{block}"
        parts = ["depthwise", "project"] if block == 0 else ["expand", "depthwise", "project"]
        for number, part in enumerate(parts):
            if part == "project":  # the only convolution that stands outside a Conv-BN-ReLU group
                put(f"{name}_{part}", f"{name}_{part}_BN", f"{at}.{number}", f"{at}.{number + 1}")
            else:
                put(f"{name}_{part}", f"{name}_{part}_BN", f"{at}.{number}.0", f"{at}.{number}.1")
    put("Conv_1", "Conv_1_bn", "features.18.0", "features.18.1")
    return found


def mobilenet_v1(files: Mapping[str, Path], digests: Mapping[str, str]) -> Tensors:
    """MobileNet from a TFLite file in which batch norm is folded: it comes back as a shift by the bias.

    Its statistics are synthetic (mean 0, variance 1 less epsilon): keep batch norm in inference mode.

    Raises:
        InputError: if the file holds too few convolutions.
    """
    (path,) = files.values()
    convolutions = tflite_convolutions(path.read_bytes(), path)
    names = ["conv1"] + [f"conv_{kind}_{block}" for block in range(1, 14) for kind in ("dw", "pw")]
    if len(convolutions) < len(names):
        raise InputError(path, f"must hold {len(names)} convolutions", len(convolutions))
    found: Tensors = {}
    for name, (kernel, bias) in zip(names, convolutions, strict=False):  # the one left over is the classifier
        found[f"{name}/kernel"] = kernel.transpose(1, 2, 3, 0)
        found[f"{name}_bn/gamma"] = np.ones_like(bias)
        found[f"{name}_bn/beta"] = bias
        found[f"{name}_bn/moving_mean"] = np.zeros_like(bias)
        found[f"{name}_bn/moving_variance"] = np.full_like(bias, 1.0 - 1e-3)  # 1e-3 is Keras' epsilon
    return found


def resnet50(files: Mapping[str, Path], digests: Mapping[str, str]) -> Tensors:
    """ResNet50 from a TensorFlow.js model: a manifest of names and shapes over one row of float32.

    Raises:
        InputError: if the manifest does not describe all numbers of its shards.
    """
    manifest = next(path for path in files.values() if path.name == "model.json")
    shards = sorted((path for path in files.values() if path != manifest), key=_shard_number)
    row = np.frombuffer(b"".join(path.read_bytes() for path in shards), dtype="<f4")
    (group,) = parse_json(manifest.read_bytes(), manifest)["weightsManifest"]
    found: Tensors = {}
    start = 0
    for weight in group["weights"]:
        stop = start + int(np.prod(weight["shape"]))
        found[weight["name"]] = row[start:stop].reshape(weight["shape"])
        start = stop
    if start != row.size:
        raise InputError(manifest, f"must describe all {row.size} numbers of its shards", start)
    return found


CONVERTERS: Mapping[str, Callable[[Mapping[str, Path], Mapping[str, str]], Tensors]] = MappingProxyType(
    {"mobilenet_v1": mobilenet_v1, "mobilenet_v2": mobilenet_v2, "resnet50": resnet50}
)


def _shard_number(path: Path) -> int:
    found = re.search(r"shard(\d+)of", path.name)
    if found is None:
        raise InputError(path, "must be a numbered shard")
    return int(found.group(1))


def tflite_convolutions(data: bytes, where: object) -> list[tuple[np.ndarray, np.ndarray]]:
    """(filter (out, h, w, in), bias (out,)), float32, of every convolution in the order they run, read as data.

    The model is not executed. A convolution without a bias has zeros.

    Raises:
        InputError: if weights are not float32.
        EnvironmentFault: if ai-edge-litert is missing.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as fault:
        hint = f"Run `{pip_package('ai-edge-litert')}`."
        raise EnvironmentFault("ai-edge-litert", "is needed to read these weights", hint=hint) from fault
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    (graph,) = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]

    def tensor(number: int) -> np.ndarray:
        made: Any = graph.tensors[number]
        raw = np.asarray(model.buffers[made.buffer].data, dtype=np.uint8)
        if made.type != schema.TensorType.FLOAT32:
            raise InputError(where, "must hold its weights as float32", made.type)
        return raw.view("<f4").reshape(made.shape)

    found = []
    for operator in graph.operators:
        if codes[operator.opcodeIndex] in (_CONV_2D, _DEPTHWISE):
            kernel = tensor(operator.inputs[1])
            has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
            found.append((kernel, tensor(operator.inputs[2]) if has_bias else np.zeros(len(kernel), np.float32)))
    return found
