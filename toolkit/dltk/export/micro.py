"""A TFLite file as C sources for TensorFlow Lite Micro: the model as an array, and a header with the code to run it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.runtime.port import Port
from dltk.export.flatbuffer.stateless import STATE_OPERATOR

__all__ = ["Micro", "c_sources", "identifier", "operators", "output_steps"]

# Builtin operators that TensorFlow Lite Micro has kernels for. `AddConv2D` registers CONV_2D, and so on.
_KERNELS = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
    DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
_IRREGULAR = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
_TYPES = {"float32": "float", "int32": "int32_t", "int16": "int16_t", "int8": "int8_t", "uint8": "uint8_t"}
_BYTES_A_LINE = 16


@dataclass(frozen=True)
class Micro:
    """The description of a model in its sources.

    Attributes:
        name: a C identifier; the files are called by it, too.
        title: the bundle and the file, in words.
        inputs, outputs: as they stand in the file, in its order.
        labels: one per class, or empty.
        operators: as `operators` gives them.
        arena_bytes: bytes of memory for tensors that the model was seen to run in.
        runtime: the interpreter that it was seen to run in.
    """

    name: str
    title: str
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    labels: Sequence[str]
    operators: Sequence[str]
    arena_bytes: int
    runtime: str


def identifier(*words: str) -> str:
    """`words` as one C identifier: letters, digits and single underscores; neither reserved nor a keyword.

    Other characters become underscores. A name that would start with a digit gets "model_" before it.
    """
    found = re.sub(r"[^0-9A-Za-z]+", "_", "_".join(words)).strip("_")
    return found if found[:1].isalpha() else f"model_{found}".rstrip("_")


def operators(data: bytes, where: object) -> tuple[str, ...]:
    """The operators in all graphs of a TFLite file, a name each, sorted.

    Raises:
        InputError: if TensorFlow Lite Micro has no kernel for some of them; `where` is the file's name.
    """
    schema, model = _read(data)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    found = {names[_code(model, index)] for index in range(model.OperatorCodesLength())}
    missing = sorted(found - set(_KERNELS.split()))
    if missing:
        hint = "Leave --format c out, or replace the layers that need them."
        raise InputError(where, "every operator needs a kernel in TensorFlow Lite Micro", ", ".join(missing), hint)
    return tuple(sorted(found))


def output_steps(data: bytes) -> list[float | None]:
    """The quantization step of each output of a TFLite file, in real numbers; None where it is not on a grid.

    An output that is only converted to float has the step of the integers it is made of.
    """
    schema, model = _read(data)
    graph = model.Subgraphs(0)
    makers = {int(op.Outputs(0)): op for op in map(graph.Operators, range(graph.OperatorsLength()))}
    found: list[float | None] = []
    for tensor in map(graph.Outputs, range(graph.OutputsLength())):
        maker = makers.get(int(tensor))
        if maker is not None and _code(model, maker.OpcodeIndex()) == schema.BuiltinOperator.DEQUANTIZE:
            tensor = maker.Inputs(0)
        grid = graph.Tensors(int(tensor)).Quantization()
        found.append(float(grid.Scale(0)) if grid is not None and grid.ScaleLength() == 1 else None)
    return found


def c_sources(data: bytes, micro: Micro) -> dict[str, bytes]:
    """File name -> bytes: `NAME.h` and `NAME.c`; equal models give equal bytes. C11 and C++11 compilers take both."""
    header, source = "\n".join(_header(data, micro)), "\n".join(_source(data, micro))
    return {f"{micro.name}.c": f"{source}\n".encode(), f"{micro.name}.h": f"{header}\n".encode()}


def _read(data: bytes) -> tuple[Any, Any]:
    from ai_edge_litert import schema_py_generated as schema

    return schema, schema.Model.GetRootAsModel(data, 0)


def _code(model: Any, index: int) -> int:
    """Files for old runtimes hold the number of an operator below 127 in a field of its own."""
    code = model.OperatorCodes(index)
    return int(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))


def _header(data: bytes, micro: Micro) -> Iterator[str]:
    big = micro.name.upper()
    yield f"/* {_comment(micro.title)}, for TensorFlow Lite Micro. Written by dltk: do not edit. */"
    yield from (f"#ifndef {big}_H_", f"#define {big}_H_", "", "#include <stdint.h>", "")
    yield from ("#ifdef __cplusplus", 'extern "C" {', "#endif", "")
    yield "/* The model: a TFLite file, aligned to 16 bytes. It may stay in read-only memory. */"
    yield f"#define {big}_BYTES {len(data)}"
    yield f"extern const unsigned char {micro.name}[{big}_BYTES];"
    yield ""
    yield f"/* Memory for tensors, aligned to 16 bytes: measured on a 64-bit machine with {_comment(micro.runtime)}"
    yield "   and its reference kernels. Where pointers have 32 bits less is used; optimized kernels may ask for more:"
    yield "   MicroInterpreter::arena_used_bytes() returns it. */"
    yield f"#define {big}_ARENA_BYTES {micro.arena_bytes}"
    if STATE_OPERATOR in micro.operators:
        yield ""
        yield "/* The model keeps state from one Invoke() to the next: call interpreter.Reset() before each sample. */"
        yield f"#define {big}_KEEPS_STATE 1"
    for kind, ports in (("INPUT", micro.inputs), ("OUTPUT", micro.outputs)):
        yield from ("", f"#define {big}_{kind}_COUNT {len(ports)}")
        for place, port in enumerate(ports):
            yield from _port(f"{big}_{kind}{place}", f"{kind.lower()}({place})", port)
    if micro.labels:
        yield from (
            "",
            "/* What the classes are called, in UTF-8. */",
            f"#define {big}_LABEL_COUNT {len(micro.labels)}",
        )
        yield f"extern const char *const {micro.name}_labels[{big}_LABEL_COUNT];"
    yield from ("", "#ifdef __cplusplus", '}  // extern "C"', "")
    yield from _resolver(micro, big)
    yield from ("#endif  // __cplusplus", "", f"#endif  /* {big}_H_ */")


def _port(prefix: str, call: str, port: Port) -> Iterator[str]:
    shape = [1 if size is None else size for size in port.shape]
    real = "" if port.scale is None else f": real = {prefix}_SCALE * (stored - {prefix}_ZERO_POINT)"
    yield f"/* interpreter.{call}, {_comment(port.name)}{real}. */"
    yield f"#define {prefix}_TYPE {_TYPES[port.dtype]}"
    yield f"#define {prefix}_RANK {len(shape)}"
    yield f"#define {prefix}_SHAPE {{{', '.join(map(str, shape))}}}"
    yield f"#define {prefix}_COUNT {prod(shape)}"
    if port.scale is not None:
        yield f"#define {prefix}_SCALE {port.scale:.8e}f"  # nine digits give back every float32
        yield f"#define {prefix}_ZERO_POINT ({port.zero_point})"


def _resolver(micro: Micro, big: str) -> Iterator[str]:
    yield "// Registers what the model needs, and nothing else; false if the resolver is too small:"
    yield f"//   tflite::MicroMutableOpResolver<{big}_OPERATOR_COUNT> resolver;"
    yield f"//   {micro.name}_register(resolver);"
    yield "// A template, so that this header needs none of TensorFlow's; 0 is kTfLiteOk."
    yield f"#define {big}_OPERATOR_COUNT {len(micro.operators)}"
    yield "template <typename Resolver>"
    yield f"inline bool {micro.name}_register(Resolver &resolver) {{"
    calls = [f"resolver.Add{_method(name)}() == 0" for name in micro.operators]
    yield "  return " + " &&\n         ".join(calls) + ";"
    yield "}"


def _method(name: str) -> str:
    parts = (part if part[0].isdigit() else part.capitalize() for part in name.split("_"))
    return _IRREGULAR.get(name) or "".join(parts)


def _source(data: bytes, micro: Micro) -> Iterator[str]:
    yield f"/* {_comment(micro.title)}, for TensorFlow Lite Micro. Written by dltk: do not edit. */"
    yield f'#include "{micro.name}.h"'
    yield from ("", "#ifndef __cplusplus", "#include <stdalign.h>", "#endif", "")
    yield f"alignas(16) const unsigned char {micro.name}[{micro.name.upper()}_BYTES] = {{"
    for start in range(0, len(data), _BYTES_A_LINE):
        yield "  " + ",".join(map(str, data[start : start + _BYTES_A_LINE])) + ","
    yield "};"
    if micro.labels:
        yield from ("", f"const char *const {micro.name}_labels[{micro.name.upper()}_LABEL_COUNT] = {{")
        yield from (f"  {_string(label)}," for label in micro.labels)
        yield "};"


def _string(text: str) -> str:
    """A C string of the text's UTF-8 bytes. Octal escapes end after three digits, whatever follows."""
    plain = set(map(chr, range(32, 127))) - set('"\\?')  # ?? starts a trigraph
    return '"' + "".join(chr(byte) if chr(byte) in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def _comment(text: str) -> str:
    """`text` as it may stand in a comment: on one line, in ASCII, and without an end of the comment."""
    return "".join(letter if " " <= letter <= "~" and letter not in "*\\?" else "_" for letter in text)
