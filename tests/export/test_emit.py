"""Which files there can be, and that equal graphs cost one conversion."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from dltk.base.cache.folder import cache_folder
from dltk.base.errors import InputError, UsageError
from dltk.export import emit as module
from dltk.export.emit import PAIRS, Target, emit, requested_targets
from dltk.quantization.plan import Affine8, QuantizationPlan
from dltk.twin.graph import Call, Graph, GraphInput, Layer, Ref
from tiny import SIGNATURE

INT8 = QuantizationPlan("int8", "shared", {"x": Affine8(0.1, 3)}, {"stem": np.ones(2, np.float32)})

_NUMBERS = count(1)  # what is made for one test must not lie in the cache for the next


def named(found):
    return [target.file for target in found]


@pytest.mark.parametrize(
    ("plan", "files"),
    [
        (None, ["model.float32.tflite", "model.float32.onnx"]),
        (QuantizationPlan("float16"), ["model.float16.tflite", "model.float32.tflite", "model.float32.onnx"]),
        (QuantizationPlan("dynamic"), ["model.dynamic.tflite", "model.float32.tflite", "model.float32.onnx"]),
        (
            QuantizationPlan("int16x8", "shared"),
            ["model.int16x8.tflite", "model.float32.tflite", "model.float32.onnx"],
        ),
        (
            INT8,
            [
                "model.int8.tflite",
                "model.int8.onnx",
                "model.int8-io.tflite",
                "model.float32.tflite",
                "model.float32.onnx",
            ],
        ),
    ],
)
def test_without_wishes_float32_and_what_the_plan_allows(plan, files):
    """Quantized files first: `load` takes the first that has a runtime."""
    assert named(requested_targets((), (), plan, "run")) == files
    assert named(requested_targets(("onnx",), (), plan, "run")) == [file for file in files if file.endswith("onnx")]


def test_wishes_are_met_once():
    assert named(requested_targets(("tflite", "tflite"), ("float16", "float32", "float16"), None, "run")) == [
        "model.float16.tflite",
        "model.float32.tflite",
    ]


@pytest.mark.parametrize(
    ("formats", "precisions"),
    [
        (("onnx",), ("float16",)),
        (("onnx",), ("int16x8",)),
        (("onnx",), ("int8", "int8-io")),
        (("onnx", "tflite"), ("float16",)),  # TFLite has it, but ONNX was named, too, and would get nothing
        (("tflite", "onnx"), ("float16", "dynamic", "int8-io")),
    ],
)
def test_a_file_that_does_not_exist_is_wrong_usage(formats, precisions):
    with pytest.raises(UsageError, match=r"There are: tflite: float32, float16, .*; onnx: float32, int8") as caught:
        requested_targets(formats, precisions, INT8, "run")
    assert caught.value.exit_code == 2


def test_a_format_that_gets_a_file_is_content():
    """A precision for one format, another for the other."""
    assert named(requested_targets(("tflite", "onnx"), ("float16", "float32"), None, "run")) == [
        "model.float16.tflite",
        "model.float32.tflite",
        "model.float32.onnx",
    ]
    assert named(requested_targets((), ("float16",), None, "run")) == ["model.float16.tflite"]


def test_int8_without_ranges_names_the_command():
    with pytest.raises(InputError, match=r"`dltk compress runs/a --step quantize:precision=int8`") as caught:
        requested_targets((), ("int8",), None, "runs/a")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_int8_of_another_compression_names_the_source(precision):
    """Compressing this very run would be refused: it is quantized already."""
    plan, said = QuantizationPlan(precision), f"runs/b: was compressed to {precision}"
    for source, command in (("runs/a", "compress runs/a --step"), (None, "compress SOURCE --step")):
        with pytest.raises(InputError, match=said) as caught:
            requested_targets((), ("int8",), plan, "runs/b", source=source)
        assert f"`dltk {command} quantize:precision=int8 --run DIR`" in caught.value.hint
        assert "no int8 ranges" not in str(caught.value)


@pytest.fixture
def maker(monkeypatch):
    """A converter that counts, and tells what it was asked for; and a graph that no other test has."""
    from dltk.export import tflite

    asked = []

    def emitted(graph, signature, precision, plan):
        asked.append(precision)
        return f"{precision} {len(asked)}".encode()

    monkeypatch.setattr(tflite, "emit", emitted)
    kernel = np.full((1, 1, 3, 2), next(_NUMBERS), np.float32)
    layer = Layer("stem", "Conv2D", {"filters": 2, "data_format": "channels_last"}, (kernel,))
    call = Call("stem", (Ref("image"),), {}, ("y",))
    return asked, Graph((GraphInput("image", (4, 4, 3), "float32"),), {"stem": layer}, (call,), ("y",))


def test_equal_graphs_are_converted_once(maker):
    asked, graph = maker
    first = emit(graph, SIGNATURE, Target("tflite", "float32"), None)
    assert emit(graph, SIGNATURE, Target("tflite", "float32"), None) == first
    assert emit(graph, SIGNATURE, Target("tflite", "float32"), INT8) == first  # float32 hangs on no ranges
    assert len(asked) == 1


def test_whatever_a_file_hangs_on_makes_it_anew(maker, monkeypatch):
    asked, graph = maker
    layer = graph.layers["stem"]
    int8 = Target("tflite", "int8")
    graphs = [graph, replace(graph, layers={"stem": replace(layer, config={"filters": 3})})]
    graphs.append(replace(graph, layers={"stem": replace(layer, weights=(layer.weights[0] + 1,))}))
    for changed in graphs:
        emit(changed, SIGNATURE, int8, INT8)
    assert len({changed.digest() for changed in graphs}) == 3
    for plan in (
        replace(INT8, tensors={"x": Affine8(0.1, 4)}),
        replace(INT8, weights={"stem": np.zeros(2, np.float32)}),
        replace(INT8, floats={"stem": "left"}),
        replace(INT8, ranges="native"),
        replace(INT8, samples={"x": np.zeros(3)}),
        replace(INT8, borders={"x": Affine8(0.1, 4)}),
        replace(INT8, levels=63),
        replace(INT8, per_tensor_dense=True),
    ):
        emit(graph, SIGNATURE, int8, plan)
    emit(graph, replace(SIGNATURE, labels=("a", "b", "c")), int8, INT8)
    emit(graph, SIGNATURE, Target("tflite", "int8-io"), INT8)
    monkeypatch.setattr(module, "version", lambda name: "another")
    emit(graph, SIGNATURE, int8, INT8)
    assert len(asked) == 3 + 8 + 3


def test_models_that_differ_in_wiring_alone_share_no_file(maker):
    asked, plain = maker
    outputs = ("left", "right")
    halves = tuple(Call("stem", (Ref("image"),), {"half": name}, (name,)) for name in outputs)
    less = Layer("less", "Subtract", {})
    base = replace(plain, layers={**plain.layers, "less": less})

    def wired(first, second, given=("out",), function="relu"):
        calls = (*halves, Call("less", ([Ref(first), Ref(second)],), {}, ("out",)))
        stem = replace(base.layers["stem"], config={**base.layers["stem"].config, "activation": function})
        return replace(base, layers={**base.layers, "stem": stem}, calls=calls, outputs=given)

    pairs = [wired(*outputs), wired(*outputs[::-1]), wired(*outputs, function="tanh")]
    pairs += [wired(*outputs, given=("out", "left")), wired(*outputs, given=("left", "out"))]
    for graph in (*pairs, *pairs):
        emit(graph, SIGNATURE, Target("tflite", "float32"), None)
    assert len(asked) == len(pairs)


def test_a_damaged_cache_is_made_anew(maker):
    _, graph = maker
    target = Target("tflite", "float32")
    emit(graph, SIGNATURE, target, None)
    entry = cache_folder("artifacts", f"{module._key(graph, SIGNATURE, target, None)}.tflite")
    (entry / "model").write_bytes(b"half of i")
    assert emit(graph, SIGNATURE, target, None) == b"float32 2"
    (entry / "entry.json").unlink()
    assert emit(graph, SIGNATURE, target, None) == b"float32 3"
    assert emit(graph, SIGNATURE, target, None) == b"float32 3"


def test_pairs_are_those_a_manifest_knows():
    from dltk.edge.bundle.manifest import PRECISIONS

    assert {precision for found in PAIRS.values() for precision in found} <= set(PRECISIONS)
    assert {precision for found in PAIRS.values() for precision in found} == set(module._ORDER)
