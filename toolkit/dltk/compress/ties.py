"""Which tensors get a range of their own, which share one, which are inside a fused operation.

The rules are TFLite's, the stricter of the two formats: pool, reshape and concatenate keep the scale of their inputs;
softmax and logistic have a fixed one; a relu right after a weighted layer is computed inside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dltk.twin.graph import Call, Graph
from dltk.twin.table import FUSED_ACTIVATIONS, row

__all__ = ["Ties", "ties"]

_FIXED = {"unit": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
_FUSES_INTO = {"Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense", "Add", "op.Add", "Multiply", "Affine"}


@dataclass(frozen=True)
class Ties:
    """How the tensors of a graph hang together.

    Attributes:
        group: tensor -> name of its group; tensors of one group share a range.
        fixed: tensor -> (low, high) where the format fixes it.
        hidden: tensors inside a fused operation: never stored, so they have no range.
        floats: layer -> why it is computed in float.
    """

    group: dict[str, str]
    fixed: dict[str, tuple[float, float]]
    hidden: frozenset[str]
    floats: dict[str, str]

    def members(self) -> dict[str, list[str]]:
        """Group -> its tensors."""
        found: dict[str, list[str]] = {}
        for tensor, group in self.group.items():
            found.setdefault(group, []).append(tensor)
        return found


def ties(graph: Graph) -> Ties:
    """The ties of a deployed graph (batch norm folded, activations split)."""
    group = {item.name: item.name for item in graph.inputs if item.dtype.startswith("float")}
    fixed: dict[str, tuple[float, float]] = {}
    floats: dict[str, str] = {}
    hidden = frozenset(call.inputs[0] for call in graph.calls if _is_fused(call, graph))
    for call in graph.calls:
        layer = graph.layers[call.layer]
        rules = row(layer.kind, layer.config)
        if not rules.int8:
            floats[call.layer] = rules.why_float
        for name in call.outputs:
            group[name] = name
        if rules.spread in _FIXED:
            fixed |= dict.fromkeys(call.outputs, _FIXED[rules.spread])
        elif rules.spread == "same":
            _tie(group, fixed, call)
    for name in hidden:
        del group[name]
    return Ties(group, fixed, hidden, floats)


def _tie(group: dict[str, str], fixed: dict[str, tuple[float, float]], call: Call) -> None:
    inputs = [name for name in call.inputs if name in group]
    if len(inputs) == 1 and inputs[0] in fixed:
        fixed |= dict.fromkeys(call.outputs, fixed[inputs[0]])
        return
    joined = [name for name in inputs if name not in fixed] + list(call.outputs)
    roots = {group[name] for name in joined}
    first = min(roots, key=list(group.values()).index)
    for name, root in group.items():
        if root in roots:
            group[name] = first


def _is_fused(call: Call, graph: Graph) -> bool:
    layer = graph.layers[call.layer]
    activation = str(layer.config.get("activation")) if layer.kind == "Activation" else layer.kind
    if activation not in FUSED_ACTIVATIONS and not _plain_relu(layer.kind, layer.config):
        return False
    source = graph.producers().get(call.inputs[0])
    if source is None or graph.layers[source.layer].kind not in _FUSES_INTO or call.inputs[0] in graph.outputs:
        return False
    return len(graph.consumers()[call.inputs[0]]) == 1


def _plain_relu(kind: str, config: object) -> bool:
    if kind in ("op.Relu", "op.Relu6"):
        return True
    if kind != "ReLU" or not hasattr(config, "get"):
        return False
    return (
        config.get("max_value") in (None, 6, 6.0) and not config.get("negative_slope") and not config.get("threshold")
    )
