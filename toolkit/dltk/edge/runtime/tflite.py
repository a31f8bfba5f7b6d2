"""TFLite models in LiteRT, or in the older tflite-runtime: from bytes only, an interpreter a thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.runtime.port import RUNTIMES, Port, join_outputs, refuse_model_errors, to_port

__all__ = ["TfliteSession"]

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_DELEGATE = "DELEGATE"


class TfliteSession:
    """A TFLite file. Interpreters are not thread-safe: each thread gets its own over the shared bytes.

    Raises:
        InputError: if the bytes are no TFLite file, or the runtime cannot load it.
    """

    def __init__(self, data: bytes, *, threads: int = 1) -> None:
        if data[4:8] != b"TFL3":  # a flatbuffer's identifier; without it the runtime would read anything
            raise InputError("model", "must be a TFLite file", data[:8])
        self._data, self._threads, self._local = data, threads, threading.local()
        interpreter = self._interpreter()
        with refuse_model_errors("must have readable inputs and outputs"):  # a damaged name or number of a tensor
            inputs, outputs = _details(interpreter)
            self._slots = tuple(d["index"] for d in inputs.values()), tuple(d["index"] for d in outputs.values())
            self.inputs = tuple(_port(name, details) for name, details in inputs.items())
            self.outputs = tuple(_port(name, details) for name, details in outputs.items())

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch, computed one sample at a time: the file's batch is 1. For shapes see `Session.run`.

        Raises:
            InputError: if names, shapes or batches do not fit, or the model fails while it runs.
        """
        fed = [to_port(tensors, port) for port in self.inputs]
        if len({len(tensor) for tensor in fed}) != 1:
            raise InputError("inputs", "must all have the same batch", [len(tensor) for tensor in fed])
        interpreter = self._interpreter()
        with refuse_model_errors("must run in the TFLite runtime"):
            found = [self._one(interpreter, [t[i : i + 1] for t in fed]) for i in range(len(fed[0]))]
        return join_outputs(found, self.outputs)

    def _one(self, interpreter: Any, sample: list[NDArray[Any]]) -> list[NDArray[Any]]:
        interpreter.reset_all_variables()  # an LSTM keeps its state there: samples must not see each other
        for slot, tensor in zip(self._slots[0], sample, strict=True):
            interpreter.set_tensor(slot, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(slot) for slot in self._slots[1]]

    def operators(self) -> dict[str, int]:
        """Operator name -> count in the main graph."""
        names = (op["op_name"] for op in self._operations())
        return dict(sorted(Counter(name for name in names if name != _DELEGATE).items()))

    def float_operators(self) -> dict[str, int]:
        """Operators with a float32 output, without conversions."""
        with refuse_model_errors("its tensors must be readable"):
            dtypes = {tensor["index"]: tensor["dtype"] for tensor in self._interpreter().get_tensor_details()}
        found = Counter(
            op["op_name"]
            for op in self._operations()
            if op["op_name"] not in (*_CONVERSIONS, _DELEGATE)
            and any(dtypes.get(int(index)) == np.float32 for index in op["outputs"])
        )
        return dict(sorted(found.items()))

    def delegated_share(self) -> float | None:
        """Share of the main graph's operators that lie between the inputs and outputs of a delegate's node."""
        operations = self._operations()
        plain = [op for op in operations if op["op_name"] != _DELEGATE]
        makers = {int(index): op["index"] for op in plain for index in op["outputs"]}
        inputs_of = {op["index"]: [int(index) for index in op["inputs"]] for op in plain}
        taken: set[int] = set()
        for op in operations:
            if op["op_name"] == _DELEGATE:
                border, waiting = set(map(int, op["inputs"])), [int(index) for index in op["outputs"]]
                while waiting:
                    tensor = waiting.pop()
                    maker = makers.get(tensor)
                    if tensor not in border and maker is not None and maker not in taken:
                        taken.add(maker)
                        waiting += inputs_of[maker]
        return len(taken) / len(plain) if plain else 0.0

    def _operations(self) -> list[dict[str, Any]]:
        with refuse_model_errors("its operators must be readable"):  # the runtime has no public way to list them
            found: list[dict[str, Any]] = self._interpreter()._get_ops_details()
        return found

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            module = _module()
            with refuse_model_errors("must load in the TFLite runtime"):
                interpreter = module.Interpreter(model_content=self._data, num_threads=self._threads)
                interpreter.allocate_tensors()
            self._local.interpreter = interpreter
        return self._local.interpreter


def _module() -> Any:
    (name, *_) = (name for name in RUNTIMES["tflite"] if find_spec(name))
    return import_module(f"{name}.interpreter")


def _details(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name -> tensor details of inputs and outputs: the signature's names, else the tensors' own."""
    signatures = interpreter.get_signature_list()
    if len(signatures) == 1:
        runner = interpreter.get_signature_runner(next(iter(signatures)))
        return _in_order(runner.get_input_details(), interpreter.get_input_details()), _in_order(
            runner.get_output_details(), interpreter.get_output_details()
        )
    return dict(_by_tensor_name(interpreter.get_input_details())), dict(
        _by_tensor_name(interpreter.get_output_details())
    )


def _in_order(named: dict[str, Any], listed: list[Any]) -> dict[str, Any]:
    order = [details["index"] for details in listed]
    return dict(sorted(named.items(), key=lambda item: order.index(item[1]["index"])))


def _by_tensor_name(listed: list[Any]) -> Iterator[tuple[str, Any]]:
    for details in listed:
        yield details["name"].removeprefix("serving_default_").rpartition(":")[0] or details["name"], details


def _port(name: str, details: Any) -> Port:
    shape = tuple(int(size) for size in details["shape"])
    if not shape or shape[0] != 1:
        raise InputError(f"tensor {name!r}", "must have a batch of 1 first", shape)
    scale, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"]).name
    quantized = scale and dtype in ("int8", "uint8", "int16")
    return Port(name, dtype, (None, *shape[1:]), float(scale) if quantized else None, int(zero_point))
