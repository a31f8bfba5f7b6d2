"""A Keras 3 model as a layer graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dltk.base.errors import InputError
from dltk.twin.graph import Call, Graph, GraphInput, Layer, Ref
from dltk.twin.table import DROPPED_IN_USE, supported

__all__ = ["read", "sources"]

_LOOPS = ("GRU", "LSTM", "SimpleRNN")  # what Bidirectional may hold
_MASKS = {"mask", "query_mask", "value_mask", "key_mask"}


def read(model: Any) -> Graph:
    """The graph of a functional or sequential Keras 3 model, weights included.

    Raises:
        InputError: if it is subclassed, or holds a layer that the twin cannot rebuild; names every such layer.
    """
    walk, inputs, outputs = _walked(model)
    listed = [f"{name} ({_kind(layer)})" for name, layer in walk.layers.items() if not supported(_kind(layer))]
    if listed:
        hint = "docs/reference/coverage.md lists the layers it knows."
        raise InputError("model", "every layer must be one that dltk can rebuild", ", ".join(listed), hint)
    for name, layer in walk.layers.items():
        _require_rebuildable(name, layer)
    layers = {
        name: Layer(name, _kind(layer), _config(layer), tuple(layer.get_weights()) if _is_layer(layer) else ())
        for name, layer in walk.layers.items()
    }
    return Graph(inputs, layers, tuple(walk.calls), outputs, walk.shapes)


def sources(model: Any) -> dict[str, Any]:
    """Graph layer name -> the Keras 3 layer it was read from, to carry weights back."""
    return _walked(model)[0].layers


def _walked(model: Any) -> tuple[_Walk, tuple[GraphInput, ...], tuple[str, ...]]:
    walk = _Walk()
    inner = _functional(model, "the model")
    inputs = []
    for tensor, name in zip(_flat(inner.inputs), _input_names(inner), strict=True):
        inputs.append(GraphInput(name, tuple(tensor.shape[1:]), str(tensor.dtype)))
        walk.taken.add(name)
        walk.tensors[id(tensor)] = Ref(name)
        walk.shapes[name] = tuple(tensor.shape[1:])
    walk.visit(inner, prefix="")
    outputs = tuple(walk.tensors[id(tensor)].tensor for tensor in _flat(inner.outputs))
    walk.keep_only(outputs)
    return walk, tuple(inputs), outputs


@dataclass
class _Walk:
    tensors: dict[int, Ref] = field(default_factory=dict)  # id of a Keras tensor -> our name for it
    layers: dict[str, Any] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # id of a layer -> our name for it
    calls: list[Call] = field(default_factory=list)
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # names of inputs, layers and tensors

    def visit(self, model: Any, prefix: str) -> None:
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                operation = node.operation
                if _kind(operation) == "InputLayer":
                    continue
                if _is_model(operation):
                    self._splice(node, f"{prefix}{operation.name}.")
                else:
                    self._add(node, prefix)

    def _splice(self, node: Any, prefix: str) -> None:
        inner = _functional(node.operation, node.operation.name)
        given = [self.tensors[id(tensor)] for tensor in node.input_tensors]
        for tensor, ref in zip(_flat(inner.inputs), given, strict=True):
            self.tensors[id(tensor)] = ref
        self.visit(inner, prefix)
        for outer, made in zip(node.outputs, _flat(inner.outputs), strict=True):
            self.tensors[id(outer)] = self.tensors[id(made)]

    def _add(self, node: Any, prefix: str) -> None:
        layer = node.operation
        kind = _kind(layer)
        if kind in DROPPED_IN_USE:
            self.tensors[id(node.outputs[0])] = self.tensors[id(node.input_tensors[0])]
            return
        name = self.names.get(id(layer))
        if name is None:
            name = self._new_name(prefix + layer.name)
            self.names[id(layer)], self.layers[name] = name, layer
        use = self.counts[name] = self.counts.get(name, -1) + 1
        made = self._tensor_names(name, use, len(node.outputs))
        for tensor, tensor_name in zip(node.outputs, made, strict=True):
            self.tensors[id(tensor)] = Ref(tensor_name)
            self.shapes[tensor_name] = tuple(tensor.shape[1:])
        args = self._replace(tuple(node.arguments.args))
        kwargs = {
            key: self._replace(value)
            for key, value in node.arguments.kwargs.items()
            if value is not None and key != "training" and not _is_own_mask(node, key, value, name)
        }
        self.calls.append(Call(name, args, kwargs, made))

    def keep_only(self, outputs: tuple[str, ...]) -> None:
        """Drop the calls that `outputs` do not need: those that make masks, which tf_keras makes for itself."""
        needed, kept = set(outputs), list[Call]()
        for call in reversed(self.calls):
            if needed.intersection(call.outputs):
                needed.update(call.inputs)
                kept.append(call)
        self.calls = kept[::-1]
        used = {call.layer for call in kept}
        self.layers = {name: layer for name, layer in self.layers.items() if name in used}

    def _replace(self, value: Any) -> Any:
        if id(value) in self.tensors and hasattr(value, "_keras_history"):
            return self.tensors[id(value)]
        if isinstance(value, Mapping):
            return {key: self._replace(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._replace(part) for part in value)
        return value

    def _new_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name

    def _tensor_names(self, layer: str, use: int, count: int) -> tuple[str, ...]:
        """The first tensor of the first use is called as the layer; a layer may be called as any other would be."""
        first = layer if use == 0 else self._new_name(f"{layer}@{use}")
        return tuple(first if i == 0 else self._new_name(f"{first}:{i}") for i in range(count))


def _functional(model: Any, where: str) -> Any:
    if _kind(model) == "Sequential" and getattr(model, "_functional", None) is not None:
        model = model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise InputError(
            where, "must be a built Functional or Sequential model", _kind(model), "Build it with keras.Input first."
        )
    return model


def _is_own_mask(node: Any, key: str, value: Any, name: str) -> bool:
    """Whether an argument is the mask that travels with the node's inputs, as tf_keras' masks do too.

    Raises:
        InputError: if it is a mask that the model's author made: the twin would compute without it.
    """
    if key not in _MASKS:
        return False
    travelling = {id(getattr(tensor, "_keras_mask", None)) for tensor in node.input_tensors}
    masks = [mask for mask in _flat(value) if mask is not None and id(mask) not in travelling]
    if not all(_is_of_layer(mask) for mask in masks):
        raise InputError(
            f"layer {name} ({_kind(node.operation)})",
            "a mask must come from Embedding(mask_zero=True) or Masking",
            f"{key} given in the call",
        )
    return True


def _is_of_layer(mask: Any) -> bool:
    """Whether a layer makes the mask of what it reads: how Keras writes its own masks into a file.

    An Embedding's is `tokens != 0`, that of Masking is `any(steps != value)`.
    """
    maker, masks = mask._keras_history.operation, _masks_tokens
    if _kind(maker) == "op.Any":
        mask, masks = _read_by(maker, mask), _masks_steps
        maker = mask._keras_history.operation
    if _kind(maker) != "op.NotEqual":
        return False
    source = _read_by(maker, mask)
    readers = [node for node in source._keras_history.operation._outbound_nodes if masks(node.operation)]
    return any(tensor is source for node in readers for tensor in node.input_tensors)


def _read_by(maker: Any, made: Any) -> Any:
    return maker._inbound_nodes[made._keras_history.node_index].input_tensors[0]


def _masks_tokens(operation: Any) -> bool:
    return bool(getattr(operation, "mask_zero", False))


def _masks_steps(operation: Any) -> bool:
    return _kind(operation) == "Masking"


def _require_rebuildable(name: str, layer: Any) -> None:
    """Settings that a supported class may have, and that no exported format follows; of layers inside it, too."""
    where = f"layer {name} ({_kind(layer)})"
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise InputError(where, "channels must come last", 'data_format="channels_first"')
    if getattr(layer, "quantization_mode", None) is not None:
        hint = "Bring the float model: compress quantizes it."
        raise InputError(where, "must not have been quantized by Keras", layer.quantization_mode, hint)
    if getattr(layer, "lora_enabled", False):
        hint = "Merge the adapter into the weights: `dltk adopt` does."
        raise InputError(where, "must have no LoRA adapter", f"lora_rank={layer.lora_rank}", hint)
    for inner in _wrapped(layer):
        kind = _kind(inner)
        if not supported(kind) or _is_model(inner) or (_kind(layer) == "Bidirectional" and kind not in _LOOPS):
            rule = "the layer inside must be one that dltk can rebuild"
            raise InputError(where, rule, f"{inner.name} ({kind})", "docs/reference/coverage.md lists them.")
        _require_rebuildable(f"{name}.{inner.name}", inner)


def _wrapped(layer: Any) -> list[Any]:
    """The layers that a wrapper holds."""
    if _kind(layer) == "Bidirectional":
        return [layer.forward_layer, layer.backward_layer]
    return [layer.layer] if _kind(layer) == "TimeDistributed" else []


def _kind(operation: Any) -> str:
    name = type(operation).__name__
    return name if _is_layer(operation) else f"op.{name}"


def _is_layer(operation: Any) -> bool:
    return hasattr(operation, "get_weights")


def _is_model(operation: Any) -> bool:
    return hasattr(operation, "_nodes_by_depth") or type(operation).__name__ == "Sequential"


def _config(layer: Any) -> dict[str, Any]:
    if _is_layer(layer):
        return dict(layer.get_config())
    return {key: value for key, value in vars(layer).items() if not key.startswith("_") and key != "name"}


def _input_names(model: Any) -> list[str]:
    return [tensor._keras_history.operation.name for tensor in _flat(model.inputs)]


def _flat(tensors: Any) -> list[Any]:
    if isinstance(tensors, Mapping):
        return [tensors[key] for key in sorted(tensors)]
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
