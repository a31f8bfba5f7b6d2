"""ONNX models in ONNX Runtime: from bytes only, on the CPU."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.runtime.onnx_file import operators, refuse_external_data
from dltk.edge.runtime.port import Port, join_outputs, refuse_model_errors, to_port

__all__ = ["OnnxSession"]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
_CHUNK = 64  # samples a call: bounds the memory of activations
_SILENT = 4  # what goes wrong is raised as well; on stderr it would stand before the one line of the error
# A fused integer operator may give float32 straight away, with the last conversion folded in.
_INTEGER_INSIDE = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "QAttention", "DynamicQuantize")
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


class OnnxSession:
    """An ONNX file. ONNX Runtime's own session may be run from several threads."""

    def __init__(self, data: bytes, *, threads: int = 1) -> None:
        refuse_external_data(data)
        self._data, self._threads = data, threads
        self._session = self._open()
        with refuse_model_errors("must have readable inputs and outputs"):  # a damaged name is no Unicode
            self.inputs = tuple(_port(argument) for argument in self._session.get_inputs())
            self.outputs = tuple(_port(argument) for argument in self._session.get_outputs())
            fixed = any(isinstance(argument.shape[0], int) for argument in self._session.get_inputs())
        self._chunk = 1 if fixed else _CHUNK

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch, computed in pieces of at most 64 samples. For shapes see `Session.run`.

        Raises:
            InputError: if names, shapes or batches do not fit, or the model fails while it runs.
        """
        fed = {port.name: to_port(tensors, port) for port in self.inputs}
        if len({len(tensor) for tensor in fed.values()}) != 1:
            raise InputError("inputs", "must all have the same batch", [len(tensor) for tensor in fed.values()])
        names, count = [port.name for port in self.outputs], len(next(iter(fed.values())))
        pieces = range(0, count, self._chunk)
        with refuse_model_errors("must run in ONNX Runtime"):
            found = [
                self._session.run(names, {name: t[start : start + self._chunk] for name, t in fed.items()})
                for start in pieces
            ]
        return join_outputs(found, self.outputs)

    def operators(self) -> dict[str, int]:
        """Operator name -> count in the main graph of the file, as written, before the runtime fuses anything."""
        return operators(self._data)

    def float_operators(self) -> dict[str, int]:
        """Operators that gave float32 in a profiled run, after fusing; without integer ones with a folded
        conversion.
        """
        with tempfile.TemporaryDirectory(prefix="dltk-profile-") as folder:
            with refuse_model_errors("must run in ONNX Runtime"):
                session = self._open(profile=Path(folder, "run"))
                session.run(None, {p.name: np.zeros([size or 1 for size in p.shape], p.dtype) for p in self.inputs})
            events = json.loads(Path(session.end_profiling()).read_bytes())
        ran = (event["args"] for event in events if "output_type_shape" in event.get("args", {}))
        found = Counter(
            args["op_name"]
            for args in ran
            if any("float" in output for output in args["output_type_shape"])
            and not args["op_name"].startswith((*_INTEGER_INSIDE, *_CONVERSIONS))
        )
        return dict(sorted(found.items()))

    def delegated_share(self) -> float | None:
        """None: the CPU provider runs every operator itself."""
        return None

    def _open(self, *, profile: Path | None = None) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = _SILENT
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, str(profile)
        with refuse_model_errors("must load in ONNX Runtime"):
            return onnxruntime.InferenceSession(self._data, options, providers=["CPUExecutionProvider"])


def _port(argument: Any) -> Port:
    if argument.type not in _DTYPES or not argument.shape:
        raise InputError(f"tensor {argument.name!r}", f"must be of {', '.join(_DTYPES)} with a batch", argument.type)
    inner = tuple(size if isinstance(size, int) else None for size in argument.shape[1:])
    return Port(argument.name, _DTYPES[argument.type], (None, *inner))
