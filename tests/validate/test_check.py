"""The gate: what passes, what does not, and that the reason is said."""

from __future__ import annotations

import numpy as np
import pytest

import tiny
from dltk.edge.families import family
from dltk.validate import Gate, judge, run_worker

SAMPLES = tiny.raws(200)
REFERENCE = tiny.reference(SAMPLES)
RIGHT = REFERENCE["logits"].argmax(axis=1)
ACCURACY = family("classification").metrics[0]


def shifted(by: float) -> dict:
    return {"logits": REFERENCE["logits"] + np.float32(by)}


@pytest.mark.parametrize(
    ("precision", "by", "passes"),
    [
        ("float32", 0.0, True),
        ("float32", 1e-6, True),
        ("float32", 1e-3, False),
        ("float16", 1e-3, True),
        ("float16", 0.5, False),
    ],
)
def test_float_files_are_held_to_the_largest_difference(precision, by, passes):
    verdict = judge(REFERENCE, shifted(by), precision=precision, signature=tiny.SIGNATURE)
    assert verdict.passed == passes
    assert verdict.parity["measure"] == "max_abs"
    assert verdict.parity["error"] == pytest.approx(by, abs=1e-6)  # logits of about 3 have steps of 2e-7
    assert verdict.metric is None
    assert bool(verdict.reasons) != passes


def test_quantized_files_are_held_to_cosine_and_agreement():
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 1, REFERENCE["logits"].shape)
    near, far = ({"logits": (REFERENCE["logits"] + scale * noise).astype(np.float32)} for scale in (0.01, 1.0))
    good = judge(REFERENCE, near, precision="int8", signature=tiny.SIGNATURE)
    assert good.passed
    assert good.parity["top1_agreement"] >= 0.95
    bad = judge(REFERENCE, far, precision="int8", signature=tiny.SIGNATURE)
    assert not bad.passed
    assert "cosine" in bad.reasons[0]
    loose = Gate(cosine=0.0, top1_agreement=0.0)
    assert judge(REFERENCE, far, precision="int8", signature=tiny.SIGNATURE, gate=loose).passed


def test_one_near_tie_among_few_samples_does_not_decide():
    reference = {"logits": np.array([[1.0, 0.999, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], np.float32)}
    flipped = {"logits": reference["logits"].copy()}
    flipped["logits"][0, 1] = 1.001
    assert judge(reference, flipped, precision="int8", signature=tiny.SIGNATURE).passed
    flipped["logits"][1] = [3.1, 3.0, 0.0]
    assert not judge(reference, flipped, precision="int8", signature=tiny.SIGNATURE).passed


def test_the_drop_has_an_interval_and_a_limit():
    worse = {"logits": REFERENCE["logits"].copy()}
    worse["logits"][:10] = np.roll(worse["logits"][:10], 1, axis=1)  # ten of 200 wrong: 5 points
    gate = Gate(cosine=0.0, top1_agreement=0.0)
    common = {"precision": "int8", "signature": tiny.SIGNATURE, "targets": RIGHT, "metric": ACCURACY}
    verdict = judge(REFERENCE, worse, gate=gate, **common)
    assert not verdict.passed
    assert verdict.metric["drop"] == pytest.approx(0.05)
    low, high = verdict.metric["interval"]
    assert 0.0 < low < 0.05 < high < 0.1  # 1.96 standard errors are 0.03
    assert judge(REFERENCE, worse, gate=Gate(cosine=0.0, top1_agreement=0.0, drop=0.06), **common).passed
    assert verdict == judge(REFERENCE, worse, gate=gate, **common)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"scores": REFERENCE["logits"]}, "scores"),
        ({"logits": REFERENCE["logits"][:, :2]}, "shape"),
        ({"logits": REFERENCE["logits"][:5]}, "shape"),
        ({"logits": np.full_like(REFERENCE["logits"], np.nan)}, "finite"),
        ({"logits": np.zeros_like(REFERENCE["logits"])}, "same for every sample"),
    ],
)
def test_outputs_that_are_none(outputs, words):
    verdict = judge(REFERENCE, outputs, precision="int8", signature=tiny.SIGNATURE, gate=Gate(cosine=-1.0))
    assert not verdict.passed
    assert words in verdict.reasons[0]


def test_called_int8_but_float(models):
    result = run_worker(models["model.float32.tflite"], "tflite", tiny.SIGNATURE, SAMPLES)
    common = {"precision": "int8", "signature": tiny.SIGNATURE, "float_operators": result.float_operators}
    verdict = judge(REFERENCE, result.outputs, **common)
    assert verdict.reasons == ("called int8 but computes in float32: FULLY_CONNECTED",)
    assert judge(REFERENCE, result.outputs, left_float=("FULLY_CONNECTED",), **common).passed


@pytest.mark.parametrize(
    "file", ["model.float32.tflite", "model.int8.tflite", "model.int8-io.tflite", "model.int8.onnx"]
)
def test_real_files_pass_the_default_gate(models, file):
    _, precision, form = file.split(".")
    result = run_worker(models[file], form, tiny.SIGNATURE, SAMPLES)
    verdict = judge(
        REFERENCE,
        result.outputs,
        precision=precision,
        signature=tiny.SIGNATURE,
        gate=Gate(drop=0.05),  # one layer with an output step of 0.1 flips near ties that a trained model does not have
        targets=RIGHT,
        metric=ACCURACY,
        float_operators=result.float_operators,
    )
    assert verdict.passed, verdict.reasons
