"""C sources for TensorFlow Lite Micro: compilers take them, the array is the file, the header says how to run it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import tiny
from dltk.base.errors import InputError, UsageError
from dltk.edge.runtime.sessions import open_session
from dltk.export.emit import Target, requested_targets
from dltk.export.micro import Micro, c_sources, identifier, operators, output_steps

pytest.importorskip("ai_edge_litert")

LABELS = ("cat", 'say "owl"??/', "Gürteltier", "*/ #error", "1\n2")
PRINTS = """
#include <stdio.h>
#include "owl_int8.h"
#ifdef __cplusplus
struct Resolver {  // what TensorFlow's has of these names
  int added = 0;
  int AddDequantize() { return !++added; }
  int AddFullyConnected() { return !++added; }
  int AddQuantize() { return !++added; }
};
#endif
int main(void) {
  OWL_INT8_INPUT0_TYPE shape[OWL_INT8_INPUT0_RANK] = OWL_INT8_INPUT0_SHAPE;
  if (shape[1] != 4 || OWL_INT8_INPUT0_COUNT != 48 || OWL_INT8_OUTPUT0_COUNT != 3) return 1;
  if ((unsigned long)(const void *)owl_int8 % 16 || sizeof owl_int8 != OWL_INT8_BYTES) return 2;
#ifdef __cplusplus
  Resolver resolver;
  if (!owl_int8_register(resolver) || resolver.added != OWL_INT8_OPERATOR_COUNT) return 3;
#endif
  for (int i = 0; i < OWL_INT8_LABEL_COUNT; ++i) fwrite(owl_int8_labels[i], 1, 64, stdout);
  fwrite(owl_int8, 1, OWL_INT8_BYTES, stdout);
  return 0;
}
"""


def _micro(data: bytes, labels=LABELS) -> Micro:
    ports = open_session("tflite", data)
    words = ("owl_int8", "Model */ owl, int8", ports.inputs, ports.outputs, labels, operators(data, "m"), 4096)
    return Micro(*words, "tflite-micro 0")


@pytest.mark.parametrize(
    ("compiler", "options"), [("cc", ["-std=c11", "-x", "c"]), ("c++", ["-std=c++11", "-x", "c++"])]
)
@pytest.mark.parametrize("precision", ["float32", "int8", "int8-io"])
def test_compilers_take_them_and_the_array_is_the_file(tmp_path, compiler, options, precision):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    data = tiny.tflite(precision)
    sources = c_sources(data, _micro(data))
    assert set(sources) == {"owl_int8.c", "owl_int8.h"}
    # Labels are printed with the 64 bytes that they begin, so each is padded to have as many.
    padded = [label.encode() + b"." * (64 - len(label.encode())) for label in LABELS]
    sources = c_sources(data, _micro(data, [text.decode() for text in padded]))
    for name, text in {**sources, "main.c": PRINTS.encode()}.items():
        (tmp_path / name).write_bytes(text)
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    command = [compiler, *strict, *options, "owl_int8.c", "main.c", "-o", "prints"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "prints"], capture_output=True, check=True)
    assert done.stdout == b"".join(padded) + data
    assert c_sources(data, _micro(data, [text.decode() for text in padded])) == sources  # equal bytes


def test_the_header_says_what_the_integers_mean():
    data = tiny.tflite("int8-io")
    header = c_sources(data, _micro(data))["owl_int8.h"].decode()
    assert "#define OWL_INT8_INPUT0_TYPE int8_t\n" in header
    assert "#define OWL_INT8_OUTPUT0_SCALE 1.00000001e-01f\n" in header
    assert "#define OWL_INT8_OUTPUT0_ZERO_POINT (0)\n" in header
    assert "#define OWL_INT8_ARENA_BYTES 4096\n" in header
    assert "resolver.AddFullyConnected() == 0;" in header


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("digits", "int8-io"), "digits_int8_io"),
        (("3 owls", "float32"), "model_3_owls_float32"),
        (("_Reserved__name", "int8"), "Reserved_name_int8"),
        (("日本", "int8"), "int8"),
        (("日本", "!"), "model"),
    ],
)
def test_names_are_identifiers(words, name):
    assert identifier(*words) == name


def test_an_operator_without_a_kernel_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("dltk.export.micro._KERNELS", "QUANTIZE DEQUANTIZE")
    with pytest.raises(InputError, match=r"model.tflite: every operator needs a kernel .* received FULLY_CONNECTED"):
        operators(tiny.tflite(), "model.tflite")


def test_steps_of_outputs():
    """A file that gives real numbers has the step of the integers behind them."""
    assert output_steps(tiny.tflite("float32")) == [None]
    assert output_steps(tiny.tflite("int8")) == pytest.approx([0.1])
    assert output_steps(tiny.tflite("int8-io")) == pytest.approx([0.1])


def test_what_it_does_not_run_is_refused_with_the_reason():
    assert requested_targets(("c",), ("float32",), None, "run") == (Target("tflite", "float32"),)
    with pytest.raises(UsageError, match=r"--precision float16 --format c: .* no kernels that read float16 weights"):
        requested_targets(("c",), ("float16",), None, "run")
    with pytest.raises(UsageError, match="hybrid models"):
        requested_targets(("c",), ("dynamic", "float32"), None, "run")
