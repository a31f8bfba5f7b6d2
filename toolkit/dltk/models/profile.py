"""What the layers of a Keras model cost: weights, bytes, multiply-accumulates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from dltk.models.names import flat_layers

__all__ = ["LayerProfile", "ModelProfile", "profile"]


@dataclass(frozen=True)
class LayerProfile:
    """One layer.

    Attributes:
        name, kind: its name and class.
        output_shape: with None for the batch and other open axes; () when it has several outputs.
        weights: how many numbers it holds.
        bits: width of one of them; 0 without weights.
        bytes: weights x bits / 8, before any compression.
        macs: multiply-accumulates for one sample; 0 where it multiplies by no weight, None if unknown.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    weights: int
    bits: int
    bytes: int
    macs: int | None


@dataclass(frozen=True)
class ModelProfile:
    """All layers, nested models spliced in, and their sums.

    Attributes:
        weights: how many numbers they hold.
        bytes: what these take, before any compression.
        macs: of the layers that could be counted.
        uncounted: names of those that could not: `macs` is too low when there are any.
    """

    layers: tuple[LayerProfile, ...]
    weights: int
    bytes: int
    macs: int
    uncounted: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, for JSON."""
        plain = asdict(self)
        plain["uncounted"] = list(self.uncounted)
        plain["layers"] = [each | {"output_shape": list(each["output_shape"])} for each in plain["layers"]]
        return plain


def profile(model: Any) -> ModelProfile:
    """Count the layers of `model`, which must be built. A layer that is called several times counts as one call."""
    layers = tuple(_one(layer) for layer in flat_layers(model))
    return ModelProfile(
        layers=layers,
        weights=sum(each.weights for each in layers),
        bytes=sum(each.bytes for each in layers),
        macs=sum(each.macs or 0 for each in layers),
        uncounted=tuple(each.name for each in layers if each.macs is None),
    )


def _one(layer: Any) -> LayerProfile:
    kind = type(layer).__name__
    count = sum(math.prod(weight.shape) for weight in layer.weights)
    bits = max((_bits(str(weight.dtype)) for weight in layer.weights), default=0)
    size = sum(math.prod(weight.shape) * _bits(str(weight.dtype)) for weight in layer.weights)
    rule = _MACS.get(kind)
    macs = None if rule is None and _multiplies(layer) else 0
    if rule is not None:
        try:
            macs = rule(layer)
        except (TypeError, AttributeError, ValueError):  # an open axis, or an output that is not a single tensor
            macs = None
    return LayerProfile(layer.name, kind, _shape(layer), int(count), bits, math.ceil(size / 8), macs)


def _bits(dtype: str) -> int:
    digits = "".join(each for each in dtype.removeprefix("bfloat").partition("_")[0] if each.isdigit())
    return int(digits) if digits else 8  # bool


def _multiplies(layer: Any) -> bool:
    """Whether it holds a matrix; vectors scale and shift, which this count leaves out as is usual."""
    return any(len(weight.shape) > 1 for weight in layer.weights) and type(layer).__name__ != "Embedding"


def _shape(layer: Any) -> tuple[int | None, ...]:
    try:
        return tuple(layer.output.shape)
    except (AttributeError, ValueError):  # several outputs or several calls
        return ()


def _positions(tensor: Any) -> int:
    """How many places of one sample a kernel is applied at."""
    return int(math.prod(tensor.shape[1:-1]))


def _kernel(layer: Any) -> int:
    return int(math.prod(layer.kernel.shape))


def _convolution(layer: Any) -> int:
    return _positions(layer.output) * _kernel(layer)


def _transposed(layer: Any) -> int:
    return _positions(layer.input) * _kernel(layer)  # every input pixel is multiplied by the whole kernel


def _separable(layer: Any) -> int:
    kernels = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    return int(_positions(layer.output) * kernels)


def _recurrent(layer: Any) -> int:
    steps = layer.input.shape[1]
    return int(steps) * _cell(layer.cell)


def _bidirectional(layer: Any) -> int:
    steps = int(layer.input.shape[1])
    return steps * (_cell(layer.forward_layer.cell) + _cell(layer.backward_layer.cell))


def _cell(cell: Any) -> int:
    return int(math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape))


def _einsum(layer: Any) -> int:
    """The product of the sizes of all indices but the batch; an ellipsis stands for the leading axes."""
    left, _, out = layer.equation.partition("->")
    first, _, second = left.partition(",")
    if "..." in left or not out:
        raise ValueError("an open equation")
    sizes = dict(zip(first, layer.input.shape, strict=True)) | dict(zip(second, layer.kernel.shape, strict=True))
    return int(math.prod(size for index, size in sizes.items() if index != out[0]))


def _attention(layer: Any) -> int:
    """Projections of query, key, value and output, and the two products between them."""
    given = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
    queries, keys = int(given[0].shape[1]), int(given[1 if len(given) > 1 else 0].shape[1])
    named = [weight for weight in layer.weights if weight.name == "kernel"]
    size = {weight.path.split("/")[-2]: math.prod(weight.shape) for weight in named}
    projections = queries * (size["query"] + size["attention_output"]) + keys * (size["key"] + size["value"])
    value_dim = layer.value_dim or layer.key_dim
    return int(projections + layer.num_heads * queries * keys * (layer.key_dim + value_dim))


_MACS: Mapping[str, Callable[[Any], int]] = MappingProxyType(
    {
        "Conv1D": _convolution,
        "Conv2D": _convolution,
        "Conv3D": _convolution,
        "DepthwiseConv1D": _convolution,
        "DepthwiseConv2D": _convolution,
        "Conv1DTranspose": _transposed,
        "Conv2DTranspose": _transposed,
        "SeparableConv1D": _separable,
        "SeparableConv2D": _separable,
        "Dense": _convolution,
        "EinsumDense": _einsum,
        "MultiHeadAttention": _attention,
        "SimpleRNN": _recurrent,
        "GRU": _recurrent,
        "LSTM": _recurrent,
        "Bidirectional": _bidirectional,
    }
)
