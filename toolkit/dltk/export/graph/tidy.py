"""An ONNX graph made plain: padding inside the convolutions, no idle nodes, names that depend on the model alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["drop_idle_reshapes", "fuse_pads", "plain_names", "inputs_of_node", "shapes", "sink_squeezes"]

_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear"}
_ELEMENT_WISE = {"Clip", "DequantizeLinear", "QuantizeLinear", "Relu"}  # with one grid a tensor, in any shape
_SPATIAL = 4  # rank of a batch of images, channels first as a Conv takes them


def fuse_pads(model: Any) -> None:
    """Zeros that a Pad puts around a convolution's input become the convolution's own padding; changes `model`.

    A Pad between two Q/DQ pairs runs in float. Its output lies on its input's grid, on which zero is exact, so that
    the convolution may read what the Pad reads.
    """
    import onnx

    constants = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        source = made.get(node.input[0])
        while source is not None and source.op_type in _CONVERSIONS:
            source = made.get(source.input[0])
        pads = _zeros_around(source, constants)
        own = next((item for item in node.attribute if item.name == "pads"), None)
        automatic = any(item.name == "auto_pad" and item.s not in (b"NOTSET", b"VALID") for item in node.attribute)
        if pads is None or source is None or automatic:
            continue
        before = list(own.ints) if own is not None else [0] * len(pads)
        kept = [item for item in node.attribute if item.name not in ("pads", "auto_pad")]
        total = [one + other for one, other in zip(before, pads, strict=True)]
        attributes = [*kept, onnx.helper.make_attribute("pads", total)]
        fresh = [onnx.AttributeProto.FromString(item.SerializeToString()) for item in attributes]
        del node.attribute[:]
        node.attribute.extend(fresh)
        node.input[0] = source.input[0]
    _drop_unread(model)


def _zeros_around(node: Any, constants: Mapping[str, Any]) -> list[int] | None:
    """What a Pad adds around height and width, as a Conv's attribute has it; None for any other node."""
    if node is None or node.op_type != "Pad" or node.input[1] not in constants:
        return None
    modes = [item.s for item in node.attribute if item.name == "mode"]
    filler = node.input[2] if len(node.input) > 2 else ""
    if modes not in ([], [b"constant"]) or (filler and (filler not in constants or constants[filler].any())):
        return None
    pads = [int(size) for size in constants[node.input[1]]]
    begin, end = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if len(begin) != _SPATIAL or any(begin[:2] + end[:2]) or min(pads) < 0:
        return None
    return begin[2:] + end[2:]


def sink_squeezes(model: Any) -> None:
    """The Squeeze behind the Conv of a series goes behind its bias, its relu and its grid; changes `model`.

    The runtime fuses a Conv with what stands next to it, and with a Squeeze there computes in float.
    """
    import onnx

    constants = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in inputs_of_node(node):
            readers.setdefault(name, []).append(node)
    readers |= {value.name: [] for value in model.graph.output}
    for squeeze in [node for node in model.graph.node if node.op_type == "Squeeze"]:
        conv = made.get(squeeze.input[0])
        if conv is None or conv.op_type != "Conv" or len(readers[squeeze.input[0]]) != 1:
            continue
        while len(following := readers[squeeze.output[0]]) == 1 and following[0].input[0] == squeeze.output[0]:
            (node,) = following
            before, after = squeeze.output[0], node.output[0]
            if node.op_type in _ELEMENT_WISE:  # it takes the name between, the Squeeze that behind
                node.input[0], node.output[0], squeeze.input[0] = squeeze.input[0], before, before
                readers[before] = [squeeze]
            elif squeeze.input[0] == conv.output[0] and _is_bias(node, conv, constants):
                name = f"{conv.output[0]}_bias"
                row = constants[node.input[1]].reshape(-1)
                model.graph.initializer.append(onnx.numpy_helper.from_array(row, name))
                conv.input.append(name)
                model.graph.node.remove(node)
            else:
                break
            squeeze.output[0] = after
    nodes = _in_order(model.graph)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _is_bias(add: Any, conv: Any, constants: Mapping[str, Any]) -> bool:
    """Whether `add` adds a number to each channel of a squeezed series, (batch, channels, steps), and `conv` none."""
    if add.op_type != "Add" or add.input[1] not in constants or conv.input[1] not in constants or len(conv.input) > 2:
        return False
    channels = len(constants[conv.input[1]])
    return constants[add.input[1]].shape in ((channels, 1), (1, channels, 1))


def shapes(model: Any) -> dict[str, list[int | None]]:
    """Tensor -> its shape, None where a size is open; tensors of unknown rank are left out."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [int(size.dim_value) if size.HasField("dim_value") else None for size in found.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
        if (found := value.type.tensor_type).HasField("shape")
    }


def drop_idle_reshapes(model: Any) -> None:
    """Take out each Reshape to the shape that its input has already; changes `model`.

    The converter turns two transposes of an image of one pixel into one. Between two Q/DQ pairs it has no integer
    kernel, and what reads it beside the convolution behind it computes in float.
    """
    import onnx

    targets = {item.name: onnx.numpy_helper.to_array(item).tolist() for item in model.graph.initializer}
    known, outputs = shapes(model), {value.name for value in model.graph.output}
    same: dict[str, str] = {}
    for node in model.graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type != "Reshape" or node.output[0] in outputs or node.input[1] not in targets:
            continue
        before, target = known.get(node.input[0], []), targets[node.input[1]]
        open_sizes = [wanted for size, wanted in zip(before, target, strict=False) if size != wanted]
        if len(before) == len(target) and open_sizes in ([], [-1]):
            same[node.output[0]] = node.input[0]
            known[node.output[0]] = before
    _drop_unread(model)


def _drop_unread(model: Any) -> None:
    """Remove the nodes whose outputs nothing reads any more."""
    while True:
        read = {name for node in model.graph.node for name in inputs_of_node(node)}
        read |= {value.name for value in model.graph.output}
        dead = [node for node in model.graph.node if not read.intersection(node.output)]
        if not dead:
            return
        for node in dead:
            model.graph.node.remove(node)


def inputs_of_node(node: Any) -> list[str]:
    """What a node reads, and the nodes of the graphs within it."""
    inner = [name for item in node.attribute for part in item.g.node for name in inputs_of_node(part)]
    return [*node.input, *inner]


def plain_names(model: Any) -> None:
    """Name nodes and tensors by operator and position: equal models give equal bytes, and smaller ones."""
    kept = {value.name: value.name for value in [*model.graph.input, *model.graph.output]}
    _rename(model.graph, kept, "")


def _rename(graph: Any, outer: Mapping[str, str], prefix: str) -> None:
    names = dict(outer)
    nodes = _in_order(graph)
    del graph.node[:]
    graph.node.extend(nodes)
    order = [name for node in graph.node for name in inputs_of_node(node)] + [value.name for value in graph.output]
    stored = {item.name: item for item in graph.initializer}
    used, same = _distinct([stored[name] for name in dict.fromkeys(order) if name in stored])
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(used)
    for i, value in enumerate(graph.input if prefix else ()):
        names[value.name] = f"{prefix}in{i}"
    for i, item in enumerate(graph.initializer):
        names[item.name] = f"{prefix}constant{i}"
    for i, node in enumerate(graph.node):
        for j, name in enumerate(node.output):
            if name and not (name in outer and not prefix):
                names[name] = f"{prefix}{node.op_type.lower()}{i}" + (f"_{j}" if j else "")
    for i, node in enumerate(graph.node):
        node.name = f"{prefix}{node.op_type}_{i}"
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for item in node.attribute:
            if item.HasField("g"):
                item.g.name = f"{node.name}_{item.name}"
                _rename(item.g, names, f"{node.name}.")
    for item in graph.initializer:
        item.name = names[item.name]
    for value in [*graph.input, *graph.output] if prefix else ():
        value.name = names[value.name]


def _distinct(constants: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """(`constants` without repetitions, stored in one way; name of a repetition -> name of what it repeats)."""
    from onnx import numpy_helper

    found: dict[tuple[Any, ...], str] = {}
    same: dict[str, str] = {}
    kept = []
    for item in constants:
        value = numpy_helper.to_array(item)
        key = (item.data_type, value.shape, value.tobytes())
        if key in found:
            same[item.name] = found[key]
        else:
            found[key] = item.name
            kept.append(numpy_helper.from_array(value, item.name))
    return kept, same


def _in_order(graph: Any) -> list[Any]:
    """The nodes, each after what it reads, in an order that names have no part in: depth first from the outputs."""
    made = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    placed: set[int] = set()
    order: list[int] = []
    waiting = [(made[value.name], False) for value in reversed(graph.output) if value.name in made]
    while waiting:
        i, ready = waiting.pop()
        if i in placed:
            continue
        if ready:
            placed.add(i)
            order.append(i)
            continue
        waiting.append((i, True))
        sources = [made[name] for name in inputs_of_node(graph.node[i]) if name in made]
        waiting += [(source, False) for source in reversed(sources) if source not in placed]
    return [type(node).FromString(node.SerializeToString()) for node in (graph.node[i] for i in order)]
