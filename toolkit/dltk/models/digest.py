"""What a model is, as one digest: layers, settings, weights, and how they are wired.

Equal digests mean equal outputs for equal inputs, so that caches of what a model gave can be named by it. Names of
layers do not count: Keras counts them up within a process. The order in which a model was put together does not count
either: calls are taken as they are met on the way back from the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from dltk.base.files import canonical_json, sha256
from dltk.models.canonical import attributes, canonical, config_of, qualified

__all__ = ["Use", "model_digest", "wiring_digest"]


@dataclass(frozen=True)
class Use:
    """One call of a layer.

    Attributes:
        layer: key of the layer.
        arguments: what it is called with, in any nesting.
        outputs: keys of the tensors it makes.
    """

    layer: Hashable
    arguments: Any
    outputs: tuple[Hashable, ...]


def model_digest(model: Any) -> str:
    """SHA-256 of a Keras 3 or tf_keras model: layers, settings, calls, weights, order of inputs and outputs.

    A model that is no graph of layers (a subclass of Model, or not built yet) is known by its class, the code of its
    `call`, its settings and attributes, its layers and their weights.
    """
    return sha256(canonical_json(_model(model)))


def wiring_digest(
    inputs: Sequence[tuple[Hashable, Any]],
    layers: Mapping[Hashable, Any],
    uses: Iterable[Use],
    outputs: Sequence[Hashable],
    key_of: Callable[[Any], Hashable | None],
) -> str:
    """SHA-256 of layers and how they are wired, whatever keys they have and in whatever order they stand.

    Args:
        inputs: (key of the tensor, what is known of it), in order.
        layers: key -> what is known of the layer, settings and weights: see `dltk.models.canonical`.
        uses: all calls; those that no output needs do not count.
        outputs: keys of tensors, in order.
        key_of: a value among arguments -> its key where it is a tensor; None for any other.

    Raises:
        KeyError: if an output comes from no call and no input.
    """
    return sha256(canonical_json(_wiring(inputs, layers, uses, outputs, key_of)))


def _model(model: Any) -> Any:
    inner = getattr(model, "_functional", None) or model  # of a Keras 3 Sequential
    nodes = getattr(inner, "_nodes_by_depth", None)
    if nodes and getattr(inner, "inputs", None):
        try:
            return _graph(inner, [node for depth in nodes.values() for node in depth])
        except (AttributeError, KeyError):  # a graph of another form than Keras' own
            pass
    layers = [_layer(layer) for layer in getattr(model, "layers", ())]
    return ["opaque", _own(model), canonical(config_of(model)), layers, canonical(model.get_weights())]


def _graph(model: Any, nodes: Sequence[Any]) -> Any:
    layers: dict[Hashable, Any] = {}
    uses = []
    for node in nodes:
        layer = node.operation if hasattr(node, "operation") else node.layer
        if type(layer).__name__ == "InputLayer":
            continue
        arguments = node.arguments if hasattr(node, "arguments") else None
        given = (
            [node.call_args, node.call_kwargs] if arguments is None else [list(arguments.args), dict(arguments.kwargs)]
        )
        layers.setdefault(id(layer), layer)
        uses.append(Use(id(layer), given, tuple(_key(tensor) for tensor in _flat(node.outputs))))
    inputs = [(_key(tensor), [list(tensor.shape), _dtype(tensor)]) for tensor in _flat(model.inputs)]
    known = {key: _layer(layer) for key, layer in layers.items()}
    return _wiring(inputs, known, uses, [_key(tensor) for tensor in _flat(model.outputs)], _key_or_none)


def _wiring(
    inputs: Sequence[tuple[Hashable, Any]],
    layers: Mapping[Hashable, Any],
    uses: Iterable[Use],
    outputs: Sequence[Hashable],
    key_of: Callable[[Any], Hashable | None],
) -> Any:
    order = _calls_needed_by(outputs, list(uses), {key for key, _ in inputs}, key_of)
    tensors: dict[Hashable, Any] = {key: ["input", place] for place, (key, _) in enumerate(inputs)}
    places: dict[Hashable, int] = {}
    calls = []
    for number, use in enumerate(order):
        place = places.setdefault(use.layer, len(places))
        calls.append([place, _arguments(use.arguments, tensors, key_of)])
        tensors.update((key, [number, i]) for i, key in enumerate(use.outputs))
    known = [layers[key] for key in places]
    return [[about for _, about in inputs], known, calls, [tensors[key] for key in outputs]]


def _calls_needed_by(
    outputs: Sequence[Hashable], uses: Sequence[Use], given: set[Hashable], key_of: Callable[[Any], Hashable | None]
) -> list[Use]:
    """The calls that `outputs` need, each behind those it reads, depth first."""
    makers = {key: use for use in uses for key in use.outputs}
    placed: set[int] = set()
    order: list[Use] = []
    waiting = [(makers[key], False) for key in reversed(outputs) if key not in given]
    while waiting:
        use, ready = waiting.pop()
        if id(use) in placed:
            continue
        if ready:
            placed.add(id(use))
            order.append(use)
            continue
        waiting.append((use, True))
        reads = [key for key in _keys(use.arguments, key_of) if key not in given]
        waiting += [(makers[key], False) for key in reversed(reads) if id(makers[key]) not in placed]
    return order


def _keys(value: Any, key_of: Callable[[Any], Hashable | None]) -> list[Hashable]:
    key = key_of(value)
    if key is not None:
        return [key]
    if isinstance(value, Mapping):
        return [found for name in sorted(value, key=str) for found in _keys(value[name], key_of)]
    parts = value if isinstance(value, list | tuple) else ()
    return [found for part in parts for found in _keys(part, key_of)]


def _arguments(value: Any, tensors: Mapping[Hashable, Any], key_of: Callable[[Any], Hashable | None]) -> Any:
    key = key_of(value)
    if key is not None:
        return ["tensor", tensors[key]]
    if isinstance(value, Mapping):
        given = {str(name): part for name, part in value.items() if part is not None}
        return [[name, _arguments(given[name], tensors, key_of)] for name in sorted(given)]
    if isinstance(value, list | tuple):
        return [_arguments(part, tensors, key_of) for part in value]
    return canonical(value)


def _layer(layer: Any) -> Any:
    if hasattr(layer, "_nodes_by_depth") or getattr(layer, "_functional", None) is not None:
        return ["model", _model(layer)]
    weights = layer.get_weights() if hasattr(layer, "get_weights") else []
    inner = (
        [] if _is_keras(type(layer)) else [_layer(each) for each in getattr(layer, "_layers", ()) if each is not layer]
    )
    return [_own(layer), canonical(config_of(layer)), canonical(weights), inner]


def _own(layer: Any) -> Any:
    """The class; of one that is not Keras' own, what it computes and with which attributes as well."""
    kind = type(layer)
    if _is_keras(kind):
        return qualified(kind)
    call = getattr(kind, "call", None)
    return [qualified(kind), canonical(call) if isinstance(call, FunctionType) else None, canonical(attributes(layer))]


def _is_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("keras", "tf_keras")


def _key(tensor: Any) -> Hashable:
    layer, node, place = tensor._keras_history
    return id(layer), node, place


def _key_or_none(value: Any) -> Hashable | None:
    return _key(value) if hasattr(value, "_keras_history") else None


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _flat(tensors: Any) -> list[Any]:
    if isinstance(tensors, Mapping):
        return [part for key in sorted(tensors) for part in _flat(tensors[key])]
    return [part for item in tensors for part in _flat(item)] if isinstance(tensors, list | tuple) else [tensors]
