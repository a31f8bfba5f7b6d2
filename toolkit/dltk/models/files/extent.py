"""How much a foreign model makes of one sample, by the shapes of its activations, before anything runs.

A few kilobytes can describe a model whose weights are small and whose activations fill a machine: an upsampling by 400,
a repeated vector. What an honest model makes of a sample is in proportion to the sample, to the output or to its
weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from dltk.base.errors import InputError

__all__ = ["batch_within", "largest_activation", "require_modest_activations"]

Shape = tuple[int | None, ...]

_UNKNOWN = 256  # in place of an axis that is not fixed
_ANY = 16_000_000  # bytes that one activation of one sample may take in any model
_ANY_TOTAL = 512_000_000  # and all of them
_OF_ENDS = 64  # times the bytes of inputs and outputs; the first block of a VGG makes 21 times its input
_OF_ENDS_TOTAL = 4096
_OF_FILE = 4  # times the bytes of the file
_LARGEST_END = 16_000_000  # bytes of inputs or outputs that count: 1024 x 1024 x 4 in float32
_WORK = 20_000_000_000  # additions and comparisons of one layer's windows over one sample
_AT_ONCE = 256_000_000  # bytes of the largest activation of a batch


def require_modest_activations(model: Any, packed: int, where: object) -> None:
    """Hold what `model`, which was built from a file of `packed` bytes and not yet run, makes of one sample.

    Raises:
        InputError: naming the layer, its shape and the budget.
    """
    sides = [[tuple(tensor.shape[1:]) for tensor in side] for side in (model.inputs, model.outputs)]
    ends = sum(min(sum(map(_bytes, side)), _LARGEST_END) for side in sides)
    most, total = max(_ANY, _OF_ENDS * ends, _OF_FILE * packed), 0
    whole = max(_ANY_TOTAL, _OF_ENDS_TOTAL * ends, _OF_ENDS * packed)
    hint = "dltk does not open models that are much larger than their file; build it from smaller layers."
    for layer, shape in _layer_outputs(model):
        size = _bytes(shape)
        total += size
        if size > most:
            rule = f"must make at most {most} bytes of a sample, by its file, its inputs and outputs"
            raise InputError(f"{where}: layer {layer!r}", rule, f"{size} bytes, shape {shape}", hint)
        if total > whole:
            rule = f"all layers together must make at most {whole} bytes of a sample"
            raise InputError(where, rule, f"more, up to layer {layer!r}", hint)
    for each in _layers(model):
        if _windows(each) > _WORK:
            rule = f"its windows must take at most {_WORK:.0e} operations a sample"
            raise InputError(f"{where}: layer {each.name!r}", rule, f"{_windows(each):.0e}", hint)


def largest_activation(model: Any) -> int:
    """Bytes of the largest activation that `model` makes of one sample."""
    return max((_bytes(shape) for _, shape in _layer_outputs(model)), default=0)


def batch_within(model: Any, most: int) -> int:
    """Samples, up to `most`, whose largest activation stays within 256 MB."""
    return max(1, min(most, _AT_ONCE // max(1, largest_activation(model))))


def _layers(model: Any) -> Iterator[Any]:
    """The layers of `model`, those of nested models and those that others wrap."""
    waiting, seen = [model], set()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        waiting.extend(getattr(layer, "operations", None) or getattr(layer, "layers", None) or ())
        waiting.extend(each for key in ("layer", "forward_layer", "cell") if (each := getattr(layer, key, None)))
        yield layer


def _layer_outputs(model: Any) -> Iterator[tuple[str, Shape]]:
    """(layer, shape without the batch) of everything that a model's layers make."""
    if any(None in tuple(tensor.shape[1:]) for tensor in model.inputs or ()) and (found := _at_some_size(model)):
        yield from found
        return
    for layer in _layers(model):
        for node in getattr(layer, "_inbound_nodes", ()):
            yield from ((layer.name, tuple(tensor.shape[1:])) for tensor in getattr(node, "output_tensors", ()))
            if "Attention" in type(layer).__name__:
                yield layer.name, _scores(layer, [tuple(tensor.shape[1:]) for tensor in node.input_tensors])


def _at_some_size(model: Any) -> list[tuple[str, Shape]]:
    """`_layer_outputs` of a model that takes any size, at one of 256; of one that cannot take that, nothing."""
    import keras

    found: list[tuple[str, Shape]] = []

    def noting(layer: Any) -> Any:
        def shaped(*inputs: Any, **options: Any) -> Any:
            graph = getattr(layer, "_functional", None) or layer
            if hasattr(graph, "_run_through_graph"):
                return graph._run_through_graph(inputs[0], operation_fn=noting)
            if "Attention" in type(layer).__name__:
                found.append(
                    (layer.name, _scores(layer, [tuple(each.shape[1:]) for each in keras.tree.flatten(inputs)]))
                )
            made = layer.compute_output_spec(*inputs, **options)
            found.extend((layer.name, tuple(each.shape[1:])) for each in keras.tree.flatten(made))
            return made

        return shaped

    given = [
        keras.KerasTensor((1, *(_UNKNOWN if size is None else size for size in tensor.shape[1:])), tensor.dtype)
        for tensor in model.inputs
    ]
    graph = getattr(model, "_functional", None) or model
    try:
        graph._run_through_graph(given, operation_fn=noting)
    except (ValueError, TypeError, RuntimeError):  # what layers raise that want another size
        return []
    return found


def _scores(layer: Any, inputs: Sequence[Shape]) -> Shape:
    """What attention makes inside: every query with every key, for every head, or for every feature."""
    heads = getattr(layer, "num_heads", None) or getattr(layer, "num_query_heads", None) or 1
    if type(layer).__name__ == "AdditiveAttention":
        heads = inputs[0][-1] or 1
    return (int(heads), *inputs[0][:-1], *inputs[min(1, len(inputs) - 1)][:-1])


def _windows(layer: Any) -> int:
    """Additions and comparisons of a layer that goes over its input in windows whose size costs no weights."""
    window = getattr(layer, "pool_size", None) or (
        getattr(layer, "kernel_size", None) if "Depthwise" in type(layer).__name__ else None
    )
    if window is None:
        return 0
    sizes = (window,) if isinstance(window, int) else tuple(window)
    return math.prod(sizes) * max((_bytes(tuple(each.shape[1:])) // 4 for each in _outputs(layer)), default=0)


def _outputs(layer: Any) -> Iterator[Any]:
    for node in getattr(layer, "_inbound_nodes", ()):
        yield from getattr(node, "output_tensors", ())  # nodes of tf_keras have none


def _bytes(shape: Shape) -> int:
    return 4 * math.prod(_UNKNOWN if size is None else int(size) for size in shape)
