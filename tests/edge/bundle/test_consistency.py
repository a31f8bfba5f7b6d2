"""A manifest whose steps or shapes lead to no answer is refused when it is read, in every family."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.base.errors import InputError, LimitError
from dltk.edge import replay
from dltk.edge.bundle.consistency import RULES, require_consistent, require_raws
from dltk.edge.bundle.manifest import Manifest, file_entry, parse
from dltk.edge.bundle.op_table import AFTER, BEFORE
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import FAMILIES, family
from edge import samples
from edge.signatures import SIGNATURES, answered

ALL = SIGNATURES | {
    "anomaly image": samples.ANOMALY_IMAGE, "restore row": samples.RESTORE_ROW, "restore": samples.RESTORE_IMAGE
}  # fmt: skip
# Of any parameter: what JSON can hold, and hardly an op can take.
WRONG = [None, True, "x", [], {}, [[]], ["x"], [None], {"a": 1}, -1, 0, -0.5, 1e300, 10**30, 0.5, [1, [2]], [1e39]]


def with_op(signature: Signature, key: str, place: int, **values) -> Signature:
    ops = [dict(op) for op in getattr(signature, key)]
    ops[place] = {name: value for name, value in (ops[place] | values).items() if value is not Ellipsis}
    return replace(signature, **{key: tuple(ops)})


def test_every_family_has_a_rule_and_every_op_of_it_a_row():
    ours = {name for name, module in FAMILIES.items() if module.startswith("dltk.")}  # tests add one of their own
    assert set(RULES) == ours
    assert {op for rule in RULES.values() for op in rule.before} | {"table"} == set(BEFORE)
    assert {op for rule in RULES.values() for op in rule.after} == set(AFTER)


@pytest.mark.parametrize("name", ALL)
def test_a_sound_signature_is_consistent_and_makes_raw_samples(name):
    signature = ALL[name]
    require_consistent(signature)
    raws = family(signature.family).synthetic(signature, count=3, seed=0)
    require_raws(raws, signature, "raws")
    made = family(signature.family).tensors(raws, signature)
    for spec in signature.inputs:
        assert made[spec.name].shape[1:] == spec.sample_shape


@pytest.mark.parametrize("name", ALL)
def test_no_parameter_takes_what_is_none(name):
    """Each parameter of each op with each wrong value: refused, or it computes (0.5 is a fine number for many)."""
    signature = ALL[name]
    for key in ("preprocess", "postprocess"):
        for place, op in enumerate(getattr(signature, key)):
            for parameter in set(op) - {"op"}:
                for value in WRONG:
                    one = with_op(signature, key, place, **{parameter: value})
                    if consistent(one) and "file" not in op:
                        answered(one)


def consistent(signature: Signature) -> bool:
    try:
        require_consistent(signature)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_op_a_strange_parameter_and_an_op_of_another_family(name):
    signature = ALL[name]
    for key, op, says in (
        ("preprocess", {"op": "scael"}, "is not known"),
        ("postprocess", {"op": "exp", "x": 1}, "unknown parameter"),
        ("postprocess", {"op": "crf"}, "is not known"),
        ("preprocess", {"op": "peak"}, "may be"),
    ):
        if op["op"] not in RULES[signature.family].before:
            with pytest.raises(InputError, match=says):
                require_consistent(replace(signature, **{key: (*getattr(signature, key), op)}))


IMAGE, SERIES, AUDIO, TEXT = (SIGNATURES[name] for name in ("classification", "series", "audio", "text"))
OUTPUT = IMAGE.outputs[0]


def shaped(spec, *shape):
    return replace(spec, shape=(None, *shape), axes=("batch", *map(str, shape)))


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        (replace(IMAGE, outputs=(shaped(OUTPUT, 10),)), "labels: must be 10, one per output; received 3"),
        (replace(IMAGE, labels=("a",)), "labels: must be 3"),
        (with_op(IMAGE, "postprocess", 0, temperature=-1), "temperature"),
        (with_op(IMAGE, "postprocess", 0, temperature=0), "temperature"),
        (with_op(IMAGE, "postprocess", 0, temperature=1e-300), "temperature"),
        (with_op(IMAGE, "preprocess", 1, height=5), "inputs: image: must have the shape"),
        (with_op(IMAGE, "preprocess", 1, height=8192, width=8192), "inputs: image: must have the shape"),
        (with_op(IMAGE, "preprocess", 0, mode="L"), "must fit samples of shape"),
        (with_op(IMAGE, "preprocess", 2, multiply=[[[[0.1]]]] * 2), "multiply: must be"),
        (with_op(IMAGE, "preprocess", 2, multiply=[[[0.1]]] * 9), "multiply: must fit samples of shape"),
        (with_op(IMAGE, "preprocess", 2, multiply=...), "needs 'multiply'"),
        (replace(IMAGE, inputs=(shaped(IMAGE.inputs[0], 4, 4, 1),)), "must have the shape"),
        (replace(IMAGE, inputs=IMAGE.inputs * 2), "names that differ"),
        (replace(IMAGE, outputs=()), "must be at least one"),
        (replace(IMAGE, family="classifcation"), "Did you mean"),
        (replace(IMAGE, postprocess=({"op": "softmax"},) * 2), "once"),
        (with_op(SERIES, "preprocess", 0, length=10**9), "length"),
        (with_op(SERIES, "preprocess", 0, length=10**6), "must have the shape"),
        (with_op(SERIES, "preprocess", 0, columns=["a", "a"]), "texts that differ"),
        (with_op(SERIES, "preprocess", 1, std=[1.0, 0.0]), "std"),
        (with_op(SERIES, "preprocess", 1, std=[1.0, -1.0]), "std"),
        (with_op(SERIES, "preprocess", 1, mean=[[1.0], [2.0], [3.0], [4.0]]), "must fit samples"),
        (with_op(SERIES, "postprocess", 0, std=[1.0, 1.0, 1.0]), "must fit samples"),
        (replace(SERIES, labels=("a", "b", "c")), "must have one value per step"),
        (with_op(AUDIO, "preprocess", 2, hop=1), "must have the shape"),
        (with_op(AUDIO, "preprocess", 2, fft=2), "must fit 1600 samples"),
        (with_op(AUDIO, "preprocess", 0, samples=4_000_000), "must have the shape"),
        (replace(TEXT, inputs=(TEXT.inputs[1],)), "tokens"),
        (with_op(TEXT, "preprocess", 1, sha256="0"), "64 hexadecimal digits"),
        (replace(SIGNATURES["policy"], outputs=(shaped(OUTPUT, 2, 2),)), "must be a row"),
        (with_op(SIGNATURES["recommendation"], "preprocess", 1, length=4, kept=3), "at most what is kept"),
        (replace(SIGNATURES["anomaly"], postprocess=()), "needs a step 'threshold'"),
        (replace(SIGNATURES["restore"], outputs=(shaped(OUTPUT, 4, 6, 3),)), "must have the shape of the input"),
        (replace(SIGNATURES["generator"], outputs=(shaped(OUTPUT, 4, 6, 2),)), "1 or 3 channels"),
        (with_op(SIGNATURES["generator"], "preprocess", 0, shape=[10**9]), "sizes"),
        (with_op(SIGNATURES["generator"], "preprocess", 0, shape=[6]), "must have the shape"),
        (replace(SIGNATURES["segmentation"], outputs=(shaped(OUTPUT, 2, 3, 3),)), "height and width of the input"),
        (with_op(SIGNATURES["tabular-values"], "preprocess", 0, targets=["debt"]), "targets: must be 2"),
        (with_op(SIGNATURES["tabular"], "preprocess", 2, low=3.0, high=-3.0), "low must be below high"),
    ],
)
def test_what_cannot_answer_is_refused_when_the_manifest_is_read(signature, says):
    data = b"model"
    made = tiny.artifact("m.float32.tflite", data)
    manifest = Manifest("tiny", IMAGE, (made,), {"m.float32.tflite": file_entry(data)})
    content = json.loads(manifest.to_bytes()) | {"signature": json.loads(json.dumps(signature.as_dict()))}
    with pytest.raises(InputError) as caught:
        parse(tiny.manifest_bytes(content))
    assert says in str(caught.value)


def test_no_tensor_is_larger_than_the_budget():
    large = replace(IMAGE, inputs=(shaped(IMAGE.inputs[0], 4096, 4097, 1),))
    assert math.prod(large.inputs[0].sample_shape) > 2**24
    with pytest.raises(InputError, match="may have at most 16777216 numbers"):
        require_consistent(large)


def test_golden_samples_are_of_the_signatures_types(tmp_path):
    raws = tiny.raws(4)
    sound = {"raw": raws, "tensor:image": family("classification").tensors(raws, IMAGE)["image"]}
    sound["output:logits"] = tiny.reference(raws)["logits"]
    for number, (key, value, says) in enumerate(
        (
            ("raw", raws.astype(np.float32), "raw samples must be uint8"),
            ("raw", raws[:, :2], "raw samples must be uint8"),
            ("output:logits", sound["output:logits"][:, :2], "output 'logits' must be numbers of shape"),
            ("tensor:image", sound["tensor:image"].astype(str), "tensor 'image' must be numbers"),
        )
    ):
        folder = tmp_path / str(number)
        tiny.write_bundle(folder, {"model.float32.onnx": tiny.onnx()}, golden=sound | {key: value})
        with pytest.raises(InputError, match=says):
            replay(folder)


def test_golden_outputs_are_decoded(tmp_path):
    """A catalogue that names too few items lies in a file, not in the manifest: it shows in the answers."""
    from attacks.parts import with_model
    from dltk.base.files import sha256
    from dltk.edge.input.catalogue import CATALOGUE, Catalogue

    few = Catalogue.of(("ann", "bob"), ("ale", "bun", "cod"), None)
    signature = SIGNATURES["recommendation"]
    steps = (*signature.preprocess[:2], {"op": "catalogue", "file": CATALOGUE, "sha256": sha256(few.to_bytes())})
    signature = replace(signature, preprocess=steps, assets={CATALOGUE: few.to_bytes()})
    raws = family("recommendation").synthetic(signature, count=2, seed=0)
    made = family("recommendation").tensors(raws, signature)
    stored = {"raw": raws, "output:scores": np.zeros((2, 4), np.float32)}
    with_model(tmp_path / "b", signature, stored | {f"tensor:{name}": value for name, value in made.items()})
    with pytest.raises(LimitError, match="catalogue: must hold 4 items"):
        replay(tmp_path / "b")


def test_large_samples_are_computed_one_by_one():
    from dltk.edge.load import batch_limit

    assert batch_limit(IMAGE) == 32
    assert batch_limit(replace(IMAGE, inputs=(shaped(IMAGE.inputs[0], 2048, 2048, 3),))) == 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("key", ["preprocess", "postprocess"])
def test_a_step_that_stands_twice_is_refused_or_computes(name, key):
    """Only the first of two steps "resize" or "softmax" would be looked at."""
    signature = ALL[name]
    for op in getattr(signature, key):
        twice = replace(signature, **{key: (*getattr(signature, key), op)})
        if op["op"] in ("scale", "standardize", "clip"):
            require_consistent(twice)
            answered(twice)
        else:
            with pytest.raises(InputError, match=f"{key}: may hold each step once"):
                require_consistent(twice)


def test_an_interval_has_its_lower_end_below():
    interval = {"op": "interval", "level": 0.9, "low": [[1.0] * 2] * 2, "high": [[2.0] * 2] * 2}
    series = SIGNATURES["series"]
    require_consistent(replace(series, postprocess=(interval, *series.postprocess)))
    with pytest.raises(InputError, match="low must be at most high"):
        require_consistent(replace(series, postprocess=({**interval, "low": [[1.0, 3.0]] * 2}, *series.postprocess)))


@pytest.mark.parametrize("name", ALL)
def test_tensors_have_names_that_can_be_printed(name):
    for key in ("inputs", "outputs"):
        specs = getattr(ALL[name], key)
        for strange in ("\x1b]0;x\x07", "\u202e", "\x9b1m"):
            with pytest.raises(InputError, match=key):
                require_consistent(replace(ALL[name], **{key: (replace(specs[0], name=strange), *specs[1:])}))
