"""`load` picks what is installed, answers the same from every thread, and stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tiny
from dltk.base.errors import EnvironmentFault, InputError, UsageError
from dltk.edge import load
from dltk.edge import load as package_load
from dltk.edge.runtime.worker import BLOCKED

RUNTIMES = ("tflite", "onnx")


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_predict_gives_labels_and_scores(bundle, runtime):
    model = load(bundle, runtime=runtime)
    sample = tiny.raws(1)[0]
    answer = model.predict(sample, top=2)
    wanted = softmax(tiny.reference(sample[None])["logits"][0])
    assert model.artifact.format == runtime
    assert [label for label, _ in answer] == [tiny.LABELS[i] for i in np.argsort(-wanted)[:2]]
    # The layer's sum may be taken in another order: 1e-6 in a logit is at most 1e-6 in a probability.
    assert [score for _, score in answer] == pytest.approx(sorted(wanted, reverse=True)[:2], abs=1e-6)


def test_the_first_artifact_with_a_runtime_is_taken(bundle, monkeypatch):
    assert load(bundle).artifact.file == "model.float32.tflite"
    monkeypatch.setattr(sys.modules["dltk.edge.load"], "available", lambda: ("onnx",))
    assert load(bundle).artifact.file == "model.float32.onnx"
    monkeypatch.setattr(sys.modules["dltk.edge.load"], "available", lambda: ())
    with pytest.raises(EnvironmentFault, match="pip install") as caught:
        load(bundle)
    assert caught.value.exit_code == 5


def test_wishes_that_cannot_be_met(bundle):
    assert load(bundle, artifact="model.int8.onnx").artifact.precision == "int8"
    with pytest.raises(InputError, match="Did you mean"):
        load(bundle, artifact="model.int8.onx")
    with pytest.raises(UsageError, match="tflite"):
        load(bundle, runtime="tensorrt")
    with pytest.raises(InputError, match="onnx"):
        load(bundle, runtime="onnx", artifact="model.int8.tflite")
    with pytest.raises(UsageError, match="top"):
        load(bundle).predict(tiny.raws(1)[0], top=0)


def test_a_model_that_does_not_fit_the_signature_is_refused(tmp_path, models):
    tiny.write_bundle(tmp_path / "b", {"model.float32.tflite": tiny.tflite(input_name="picture")})
    with pytest.raises(InputError, match="picture"):
        load(tmp_path / "b")


def test_a_model_that_does_not_load_names_its_file(tmp_path, models):
    tiny.write_bundle(tmp_path / "b", {"model.float32.onnx": b"no model"})
    with pytest.raises(InputError, match=r"model\.float32\.onnx: must be a protocol buffer"):
        load(tmp_path / "b")
    tiny.write_bundle(tmp_path / "c", {"model.float32.onnx": tiny.onnx()[:-50]})
    with pytest.raises(InputError, match=r"model\.float32\.onnx: must load in ONNX Runtime"):
        load(tmp_path / "c")


def test_many_are_each(bundle):
    model, samples = load(bundle), tiny.raws(70)  # over two pieces of 32
    assert model.predict_many(samples) == [model.predict(sample) for sample in samples]
    assert model.predict_many([]) == []


@pytest.mark.parametrize("file", ["model.int8.tflite", "model.float32.onnx"])
def test_eight_threads_get_the_answers_of_one(bundle, file):
    model, samples = load(bundle, artifact=file), tiny.raws(64)
    alone = [model.predict(sample) for sample in samples]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(model.predict, samples)) == alone


_LIGHT = """
import json, sys
import dltk.edge
from dltk.edge import load
import numpy
model = load(sys.argv[1], runtime=sys.argv[2])
answer = model.predict(numpy.zeros((4, 4, 3), numpy.uint8))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"modules": sorted({name.partition(".")[0] for name in sys.modules}), "peak": status["VmHWM"]}))
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_predicting_stays_light(bundle, runtime):
    done = subprocess.run([sys.executable, "-c", _LIGHT, bundle, runtime], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert not {*BLOCKED, "scipy", "PIL", "rich", "click"} & set(found["modules"])
    assert int(found["peak"].split()[0]) < 150_000  # kB; about 60,000 here


def test_the_package_offers_what_it_says():
    import dltk.edge

    assert package_load is dltk.edge.load
    assert {name for name in dltk.edge.__all__ if callable(getattr(dltk.edge, name))} == {"bench", "load", "replay"}
    with pytest.raises(AttributeError, match="nothing"):
        _ = dltk.edge.nothing
