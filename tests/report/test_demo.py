"""`dltk report --demo`: one page, the same bytes every time, that runs nobody's script but its own."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

import tiny
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.fetch import Package
from dltk.cli.main import cli
from dltk.edge.bundle.integrity import read_manifest
from dltk.report import demo
from edge.signatures import SIGNATURES

HOSTILE = ("</script><script>alert(1)</script>", "<!-- {{model}} \\1", '"><img src=x onerror=alert(1)>')
MODULE = b"var a=1,b=2;export{a as InferenceSession,b as default,b as env};\n//# sourceMappingURL=x\n"
WASM = b"\0asm runtime"


@pytest.fixture(autouse=True)
def runtime(monkeypatch, tmp_path):
    """A few bytes take the runtime's place: what it does stands in `make devices`, in a real browser."""
    folder = tmp_path / "npm"
    folder.mkdir()
    found = {}
    for name, data in (("ort.mjs", MODULE), ("ort.wasm", WASM)):
        (folder / name).write_bytes(data)
        found[name] = folder / name
    monkeypatch.setattr(demo, "from_package", lambda package, progress: found)


@pytest.fixture
def bundle(tmp_path):
    tiny.write_bundle(
        tmp_path / "tiny", {"model.float32.tflite": b"TFL3", "model.int8.onnx": b"onnx", "model.float32.onnx": b"x"}
    )
    return tmp_path / "tiny"


def dltk(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def made(bundle, out):
    done = dltk("report", bundle, "--demo", "--out", out)
    assert done.exit_code == 0, done.output
    return out.read_text()


def part(page, name):
    """The text of the element with this id."""
    return re.search(rf'<script id="{name}"[^>]*>([^<]*)</script>', page)[1]


def test_the_page_holds_model_runtime_and_golden_samples(bundle, tmp_path):
    page = made(bundle, tmp_path / "page.html")
    assert gzip.decompress(base64.b64decode(part(page, "model"))) == b"onnx"  # the first ONNX file, as predict takes it
    assert gzip.decompress(base64.b64decode(part(page, "runtime"))) == WASM
    assert "globalThis.ort={InferenceSession:a,env:b};" in page
    content = json.loads(part(page, "bundle"))
    assert content["signature"] == json.loads(json.dumps(tiny.SIGNATURE.as_dict()))
    assert content["parity"] == {"measure": "cosine", "limit": 0.99}
    raws = tiny.raws(8)
    assert [gzip.decompress(base64.b64decode(each["raw"])) for each in content["golden"]] == [
        raw.tobytes() for raw in raws[:2]
    ]


def test_the_limit_of_a_float_file_is_that_of_validate(tmp_path):
    manifest = tiny.write_bundle(tmp_path / "tiny", {"model.float32.onnx": b"x"})
    found = demo._parity(manifest.artifacts[0], tiny.reference(tiny.raws(8))["logits"] * 10)
    assert found["limit"] == pytest.approx(1e-4 * abs(tiny.reference(tiny.raws(8))["logits"]).max())
    with pytest.raises(InputError, match="a measure and a tolerance"):
        demo._parity(replace(manifest.artifacts[0], parity={}), tiny.reference(tiny.raws(8))["logits"])


def test_equal_bundles_give_equal_pages(bundle, tmp_path):
    tiny.write_bundle(
        tmp_path / "again" / "tiny",
        {
            name: (bundle / name).read_bytes()
            for name in ("model.float32.tflite", "model.int8.onnx", "model.float32.onnx")
        },
    )
    assert made(bundle, tmp_path / "a.html") == made(tmp_path / "again" / "tiny", tmp_path / "b.html")


def test_only_the_pages_own_scripts_may_run(bundle, tmp_path):
    page = made(bundle, tmp_path / "page.html")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    modules = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    allowed = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in modules]
    assert len(modules) == 2
    hashes = " ".join(f"'sha256-{each}'" for each in allowed)
    assert policy.startswith(f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval'; style-src 'sha256-")
    assert "unsafe-inline" not in policy
    assert not re.search(
        r"""\s(src|href|on\w+)\s*=\s*["']""", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    )


def test_hostile_names_are_only_text(tmp_path):
    signature = replace(tiny.SIGNATURE, labels=HOSTILE)
    manifest = tiny.write_bundle(tmp_path / "b", {"model.int8.onnx": b"onnx"}, signature=signature)
    for name in HOSTILE:
        renamed = replace(manifest, name=name)
        page = demo.as_demo(tmp_path / "b", renamed, renamed.artifacts[0]).decode()
        assert page.count("<script") == page.count("</script>") == 5
        assert "<img" not in page
        assert not re.search("<title>[^<]*[<>][^/]", page)
        assert json.loads(part(page, "bundle"))["signature"]["labels"] == list(HOSTILE)


def test_what_the_page_cannot_answer_is_refused(bundle, tmp_path, monkeypatch):
    for name, signature in SIGNATURES.items():
        if name not in demo.FAMILIES:
            with pytest.raises(InputError, match="classification and segmentation") as caught:
                demo._require_fitting(signature, name)
            assert caught.value.exit_code == 3
    demo._require_fitting(SIGNATURES["segmentation"], "segmentation")
    odd = (
        replace(tiny.SIGNATURE, preprocess=(*tiny.SIGNATURE.preprocess, {"op": "log_mel"})),
        tiny.SIGNATURE.with_postprocess({"op": "crf"}),
        replace(tiny.SIGNATURE, labels=("one",)),
        replace(tiny.SIGNATURE, inputs=tiny.SIGNATURE.inputs * 2),
    )
    for signature, words in zip(odd, ("log_mel", "crf", "labels", "one image in"), strict=True):
        with pytest.raises(InputError, match=words):
            demo._require_fitting(signature, "bundle")


def test_places_and_bundles_that_do_not_fit(bundle, tmp_path, monkeypatch):
    tiny.write_bundle(tmp_path / "lite", {"model.int8.tflite": b"TFL3"})
    cases = (
        (("report", bundle, "--demo", "--out", tmp_path / "page.txt"), 2, "must end in one of .html"),
        (("report", bundle, "--demo", "--out", bundle / "page.html"), 3, "a bundle is sealed"),
        (("report", tmp_path / "lite", "--demo", "--out", tmp_path / "p.html"), 3, "--format onnx"),
        (("report", tmp_path / "nothing", "--demo", "--out", tmp_path / "p.html"), 3, "manifest.json"),
    )
    for words, code, text in cases:
        done = dltk(*words)
        assert (done.exit_code, text in done.stderr) == (code, True), done.output

    def unreachable(package: Package, progress: object) -> None:
        raise EnvironmentFault("onnxruntime-web@1.30.0", "must come from npm")

    monkeypatch.setattr(demo, "from_package", unreachable)
    assert dltk("report", bundle, "--demo", "--out", tmp_path / "p.html").exit_code == 5
    assert not list(tmp_path.glob("*.html"))


def test_the_page_is_named_after_the_bundle(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = dltk("report", "tiny", "--demo", "--json")
    found = json.loads(done.stdout)
    assert found["out"] == "tiny-demo.html"
    assert found["artifact"] == "model.int8.onnx"
    assert found["bytes"] == (tmp_path / "tiny-demo.html").stat().st_size


def test_a_runtime_that_is_no_plain_module_is_refused():
    for text in ("var a=1", "var a='</script>';export{a as env};"):
        with pytest.raises(EnvironmentFault, match="one module"):
            demo._as_global(text)


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    (bundle / "model.int8.onnx").write_bytes(b"onny")
    assert read_manifest(bundle)
    assert dltk("report", bundle, "--demo", "--out", tmp_path / "p.html").exit_code == 3
