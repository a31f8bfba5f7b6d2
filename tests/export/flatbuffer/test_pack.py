"""A file with shared vectors is the same model, smaller."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

import zoo
from dltk.export import tflite
from dltk.export.flatbuffer.pack import pack_model
from dltk.quantization.calibration import calibrate
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


def answers(data, image):
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_shared_vectors_keep_the_model():
    model = zoo.teach(zoo.shake(zoo.resnet()))
    graph, samples = deployed_graph(read(model)), zoo.feeds(model, zoo.samples(model, 20))
    plan = calibrate(graph, samples, limits={}, method="min-max")
    data = tflite.emit(graph, zoo.signature(model), "int8", plan)
    plain = bytes(flatbuffer_utils.convert_object_to_bytearray(read_model(data)))
    assert len(data) < len(plain)
    assert pack_model(read_model(data)) == data  # nothing is lost, and equal models give equal bytes
    image = next(iter(samples.values()))[:1]
    assert np.array_equal(answers(data, image), answers(plain, image))


def test_weights_are_aligned():
    model = zoo.teach(zoo.shake(zoo.resnet()))
    data = tflite.emit(deployed_graph(read(model)), zoo.signature(model), "float32", None)
    root = schema.Model.GetRootAsModel(data, 0)
    buffers = [root.Buffers(i) for i in range(root.BuffersLength())]
    starts = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]
    assert starts
    assert all(start % 16 == 0 for start in starts)  # `force_align: 16` in TFLite's schema


def read_model(data):
    return flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
