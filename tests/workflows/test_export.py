"""A bundle says the same for the same run, proves itself, and is not written where a file does not pass."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import small
from dltk.base.errors import InputError, LimitError, UsageError
from dltk.base.install import pip_extra
from dltk.base.progress import Silent
from dltk.bundle import BundleOptions
from dltk.edge import load, replay
from dltk.edge.bundle.arrays import read_npz
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.bundle.manifest import MANIFEST
from dltk.quantization.plan import QuantizationPlan
from dltk.run import Run
from dltk.validate import Gate
from dltk.workflows import compress, export
from edge import archives

pytestmark = small.QUIET
FILES = ("model.int8.tflite", "model.int8.onnx", "model.int8-io.tflite", "model.float32.tflite", "model.float32.onnx")
ONE = {"formats": ("tflite",), "precisions": ("int8",)}


def test_the_files_that_the_plan_allows_best_first(exported):
    manifest = read_bundle(exported.path).manifest
    assert tuple(artifact.file for artifact in manifest.artifacts) == FILES
    assert load(exported.path).artifact.file == FILES[0]
    assert {artifact["status"] for artifact in replay(exported.path)["artifacts"]} == {"passed"}
    assert {artifact.ranges for artifact in manifest.artifacts if "int8" in artifact.file} == {"shared"}


def test_the_manifest_lists_every_file(exported):
    found = small.files(exported.path)
    assert set(found) == {
        MANIFEST, *FILES, "golden.npz", "labels.txt", "report.json", "report.html", "recipe.json", "MODEL_CARD.md",
        "LICENSES.txt", "run.pyz",
    }  # fmt: skip
    assert set(read_bundle(exported.path).manifest.files) == set(found) - {MANIFEST}


def test_no_file_says_when_how_fast_or_where(exported, compressed):
    """Times would make equal runs differ; a latency is true on one machine only."""
    kinds = ("json", "md", "html")
    texts = {name: data.decode() for name, data in small.files(exported.path).items() if name.endswith(kinds)}
    texts["labels.txt"] = (exported.path / "labels.txt").read_text()
    for name, text in texts.items():
        assert not re.search(r"p50|p90|\bms\b|latency|milliseconds|\"seconds\"|date|20[2-9]\d-\d\d", text), name
        assert str(compressed.path.parent) not in text, name
    assert all(row["p50_ms"] > 0 for row in exported.found["artifacts"])  # told, not kept


def test_the_page_is_the_one_that_report_draws(exported, tmp_path):
    """From the sealed bundle, in another process: nothing else goes into it, and equal bytes come out."""
    words = ("report", str(exported.path), "--out", str(tmp_path / "page.html"))
    command = [sys.executable, "-m", "dltk.cli.main", *words]
    subprocess.run(command, check=True, env=small.environment(), capture_output=True)
    page = (exported.path / "report.html").read_bytes()
    assert page == (tmp_path / "page.html").read_bytes()
    assert not re.search(rb"<script|<link|(src|href)=.http|@import|url\((?!#)", page)  # the page stands alone


def test_a_signed_archive_holds_what_the_folder_would(compressed, tmp_path):
    forms = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    secret = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    public = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "private.pem").write_bytes(secret)
    folder = export(compressed.path, out=tmp_path / "digits", options=BundleOptions(sign=secret), **ONE).path
    packed = BundleOptions(archive=True, sign=tmp_path / "private.pem")
    archive = export(compressed.path, out=tmp_path / "digits.zip", options=packed, **ONE).path
    assert archives.members(archive.read_bytes()) == small.files(folder)
    assert replay(archive, verify=public)["passed"]
    for data in small.files(folder).values():
        assert secret.splitlines()[1] not in data
        assert bytes(range(32)) not in data
    done = subprocess.run([sys.executable, folder / "run.pyz", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("passed")) == (0, 1), done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--archive", "--out", "digits"), 2, "--out: must end in .zip"),
        (("--sign", "no.pem"), 3, "no.pem: the file must exist"),
        (("--sign", str(Path(__file__).with_name("test_micro.py"))), 3, "must be an Ed25519 private key"),
    ],
)
def test_what_cannot_be_is_refused_before_the_run_is_looked_at(words, code, said):
    done = small.invoke("export", "no/such/run", *words)
    assert done.exit_code == code
    assert said in done.stderr


def test_without_the_extra_there_is_no_page(exported, compressed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    progress = Silent()
    made = export(compressed.path, out=tmp_path / "bundle", progress=progress, **ONE)
    assert "report.html" not in small.files(made.path)
    assert "report.html" not in read_bundle(made.path).manifest.files
    (line,) = [text for text in progress.said if "report.html" in text]
    assert pip_extra("report") in line
    assert replay(made.path)["passed"]


def test_the_lineage_names_what_it_was_made_from(exported, compressed):
    lineage, run = read_bundle(exported.path).manifest.lineage, Run.open(compressed.path)
    assert lineage["recipe"] == "cnn"
    assert lineage["data_digest"] == run.read_json("data")["digest"]
    assert lineage["calibration"] == dict(QuantizationPlan.load(run.quantization_path).calibration)
    assert lineage["calibration"]["samples"] == 50
    assert lineage["settings"]["data"]["size"] == 8
    assert read_bundle(exported.path).manifest.gate == Gate().as_dict()
    assert json.loads((exported.path / "recipe.json").read_bytes()) == run.read_json("recipe")


def test_the_answers_are_the_models(exported, compressed):
    import keras

    run = Run.open(compressed.path)
    raws, _ = run.evaluation()
    model = keras.saving.load_model(run.model_path)
    from dltk.edge.families import family

    logits = np.asarray(model(family("classification").tensors(raws[:8], run.signature)["image"], training=False))
    golden = read_npz(exported.path / "golden.npz", {"raw", "output:logits", "target"})
    assert np.array_equal(golden["raw"], raws[:8])
    # The reference ran in batches of 64: sums may be taken in another order.
    assert np.abs(golden["output:logits"] - logits).max() < 1e-4
    bundled = load(exported.path, artifact="model.float32.onnx")
    found = [bundled.predict(raw, top=1)[0][0] for raw in raws[:8]]
    assert found == [run.signature.labels[i] for i in logits.argmax(1)]


def test_an_export_needs_no_data(trained, compressed, exported, tmp_path, monkeypatch):
    """Neither the data, nor the source run, nor what is cached of both."""
    shutil.copytree(compressed.path, tmp_path / "digits")
    data = json.loads((tmp_path / "digits" / "data.json").read_bytes()) | {"source": "/gone/for/ever"}
    (tmp_path / "digits" / "data.json").write_text(json.dumps(data))
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    made = export(tmp_path / "digits", out=tmp_path / "bundle", options=BundleOptions(golden=3), **ONE)
    assert (made.path / FILES[0]).read_bytes() == (exported.path / FILES[0]).read_bytes()
    assert len(read_npz(made.path / "golden.npz", {"raw"})["raw"]) == 3
    assert not list(tmp_path.glob(".dltk-*"))


def test_golden_samples_may_be_made_up(compressed, tmp_path):
    made = export(compressed.path, out=tmp_path / "bundle", options=BundleOptions(golden=5, synthetic=True), **ONE)
    golden = read_npz(made.path / "golden.npz", {"raw"})
    assert golden["raw"].shape == (5, 8, 8, 3)
    assert "target" not in golden
    raws, _ = Run.open(compressed.path).evaluation()
    assert not any((raws == raw).all((1, 2, 3)).any() for raw in golden["raw"])
    assert {artifact["status"] for artifact in replay(made.path)["artifacts"]} == {"passed"}


def test_a_file_that_does_not_pass_leaves_everything_as_it_is(compressed, exported, tmp_path):
    shutil.copytree(exported.path, tmp_path / "bundle")
    for out in (tmp_path / "bundle", tmp_path / "new"):
        with pytest.raises(LimitError, match=r"model\.int8\.tflite mean cosine .*No bundle was written") as caught:
            export(compressed.path, out=out, gate=Gate(cosine=1.1), **ONE)
        assert caught.value.exit_code == 4
        assert caught.value.measured["artifacts"][0]["parity"]["error"] >= 0
    assert small.files(tmp_path / "bundle") == small.files(exported.path)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_is_no_bundle_is_not_replaced(compressed, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    for out in (tmp_path, compressed.path):
        with pytest.raises(InputError, match="is not a bundle"):
            export(compressed.path, out=out, **ONE)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"


def test_wishes_that_cannot_be_met(trained, compressed, tmp_path):
    out = tmp_path / "bundle"
    with pytest.raises(UsageError, match="there is no such file") as usage:
        export(compressed.path, formats=("onnx",), precisions=("float16",), out=out)
    assert usage.value.exit_code == 2
    with pytest.raises(InputError, match=f"dltk compress {re.escape(str(trained.path))} --step quantize") as missing:
        export(trained.path, precisions=("int8",), out=out)
    assert missing.value.exit_code == 3
    float16 = compress(trained.path, steps=("quantize:precision=float16",), out=tmp_path / "float16").run
    with pytest.raises(InputError, match=f"dltk compress {re.escape(str(trained.path))} --step quantize.* --run DIR"):
        export(float16.path, precisions=("int8",), out=out)
    with pytest.raises(InputError, match="must be a run folder"):
        export(tmp_path / "none", out=out)
    assert not out.exists()


@pytest.mark.parametrize(
    "name", ["quantization.npz", "model.keras", "evaluation.npz", "baseline.npz", "signature.json"]
)
@pytest.mark.parametrize("keep", [0.0, 0.6])
def test_a_damaged_run_is_bad_input(compressed, tmp_path, name, keep):
    shutil.copytree(compressed.path, tmp_path / "run")
    whole = (tmp_path / "run" / name).read_bytes()
    (tmp_path / "run" / name).write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as caught:
        export(tmp_path / "run", out=tmp_path / "bundle", **ONE)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "bundle").exists()


def test_the_plan_of_another_model_is_bad_input(compressed, tmp_path):
    shutil.copytree(compressed.path, tmp_path / "run")
    plan = QuantizationPlan.load(tmp_path / "run" / "quantization.npz")
    QuantizationPlan("int8", "shared", plan.tensors, {"stranger": np.ones(3, np.float32)}).save(
        tmp_path / "run" / "quantization.npz"
    )
    with pytest.raises(InputError, match=r"quantization\.npz: must be the plan of this run's model"):
        export(tmp_path / "run", out=tmp_path / "bundle", **ONE)


def test_labels_may_be_of_any_script(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    path = tmp_path / "run" / "signature.json"
    labels = ["零", "один", "deux", "três", "vier", "πέντε", "ستة", "שבע", "ocho", "🕘"]
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"labels": labels}))
    made = export(tmp_path / "run", out=tmp_path / "größe", formats=("onnx",))
    assert (made.path / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1] == labels
    assert replay(made.path)["passed"]
    raws, targets = Run.open(tmp_path / "run").evaluation()
    answers = [load(made.path).predict(raw, top=1)[0][0] for raw in raws[:40]]
    right = [answer == labels[target] for answer, target in zip(answers, targets[:40], strict=True)]
    assert np.mean(right) > 0.5  # chance is 0.1


@pytest.mark.slow
def test_a_dynamic_plan(trained, tmp_path):
    made = compress(trained.path, steps=("quantize:precision=dynamic",), out=tmp_path / "run")
    bundle = export(made.run.path, out=tmp_path / "bundle", formats=("tflite",))
    assert {row.precision for row in bundle.table} == {"dynamic", "float32"}
    assert replay(bundle.path)["passed"]


_EXPORT = "import sys; from dltk.workflows import export; export(sys.argv[1], out=sys.argv[2])"


@pytest.mark.slow
def test_two_exports_of_one_run_are_equal_to_the_bit(compressed, exported, tmp_path):
    """Each in a process and with a cache of its own."""
    out = tmp_path / "digits"
    command = [sys.executable, "-c", _EXPORT, str(compressed.path), str(out)]
    subprocess.run(command, check=True, env=small.environment(DLTK_CACHE=str(tmp_path / "cache")), capture_output=True)
    assert small.files(out) == small.files(exported.path)


_LIGHT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
from dltk.edge.runtime.worker import _Blocker
sys.meta_path.insert(0, _Blocker())
from dltk.cli.main import cli
cli(sys.argv[2:])
"""


def light(*words):
    """`dltk WORDS` in a process where no TensorFlow can be imported."""
    paths = ":".join(path for path in small.environment()["PYTHONPATH"].split(":") if path)
    command = [sys.executable, "-I", "-c", _LIGHT, paths, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_bundle_works_where_there_is_no_tensorflow(exported, compressed, tmp_path):
    from PIL import Image

    done = light("validate", exported.path, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["artifacts"]) == len(FILES)
    raws, _ = Run.open(compressed.path).evaluation()
    Image.fromarray(raws[0]).save(tmp_path / "digit.png")
    done = light("predict", exported.path, tmp_path / "digit.png", "--top", "2", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["answers"]
    expected = load(exported.path).predict(raws[0], top=2)
    assert [(one["label"], one["score"]) for one in answer["answer"]] == [(label, score) for label, score in expected]
    shutil.copytree(exported.path, tmp_path / "damaged")
    path = tmp_path / "damaged" / FILES[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    done = light("validate", tmp_path / "damaged")
    assert done.returncode == 3
    assert FILES[0] in done.stderr


@pytest.mark.slow
def test_what_a_plan_asks_beside_ranges_is_in_the_manifest(trained, tmp_path):
    steps = ("quantize:repair=false,ranges=min-max,keep=logits,reduce_range=true,per_tensor_dense=true",)
    made = compress(trained.path, steps=steps, out=tmp_path / "run")
    bundle = export(made.run.path, out=tmp_path / "bundle", precisions=("int8",))
    lineage = json.loads((bundle.path / "manifest.json").read_bytes())["lineage"]
    assert lineage["weight_levels"] == 63
    assert lineage["per_tensor_dense"] is True
    assert set(lineage["left_float"]) == {"logits"}
    assert replay(bundle.path)["passed"]


@pytest.mark.slow
def test_16_bit_activations_go_into_a_bundle(trained, tmp_path):
    made = compress(trained.path, steps=("quantize:precision=int16x8",), out=tmp_path / "run")
    bundle = export(made.run.path, out=tmp_path / "bundle")
    assert [row.file for row in bundle.table] == [
        "model.int16x8.tflite",
        "model.float32.tflite",
        "model.float32.onnx",
    ]
    assert bundle.table[0].parity["measure"] == "cosine"
    assert bundle.table[0].float_operators == {}
    assert replay(bundle.path)["passed"]
