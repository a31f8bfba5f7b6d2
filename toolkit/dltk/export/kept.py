"""Which layers a TFLite file holds in float32, read out of the file: the converter alone decides it without ranges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dltk.compress.plan import QuantizationPlan
from dltk.edge.signature import Signature
from dltk.export.emit import Target, emit
from dltk.twin.graph import Graph, Layer
from dltk.twin.table import row

__all__ = ["LEFT", "left_float"]

LEFT = "left float by TensorFlow's converter: a tensor of fewer than 1024 weights, or an operator that it leaves alone"


def left_float(graph: Graph, signature: Signature, plan: QuantizationPlan) -> dict[str, str]:
    """Layer -> why it is float, for each whose weights stand as float32 in the file of a plan without ranges.

    The converter cuts weights into parts, turns them round and joins them, but changes no number: a layer is float
    where the numbers of its kernel are in the file.
    """
    data = emit(graph, signature, Target("tflite", plan.precision), plan)
    numbers = _float_constants(data)
    return {name: LEFT for name, layer in graph.layers.items() if layer.weights and _is_among(layer, numbers)}


def _float_constants(data: bytes) -> NDArray[np.float32]:
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    found = [np.zeros(0, np.float32)]
    for tensor in (tensor for subgraph in model.subgraphs for tensor in subgraph.tensors):
        values = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT32 and values is not None:
            found.append(np.frombuffer(np.asarray(values, np.uint8).tobytes(), np.float32))
    return np.unique(np.concatenate(found))


def _is_among(layer: Layer, numbers: NDArray[np.float32]) -> bool:
    """Whether most of the kernel is there; of weights without a kernel, the largest. Zeros are in every file."""
    index = row(layer.kind, layer.config).kernel
    kernel = max(layer.weights, key=np.size) if index is None else layer.weights[index]
    values = np.unique(np.asarray(kernel, np.float32))
    values = values[values != 0]
    return bool(np.isin(values, numbers).mean() > 0.5) if len(values) else True
