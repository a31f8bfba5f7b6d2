"""The manifest: equal content gives equal bytes, and nothing but exactly that content is read back."""

from __future__ import annotations

import json

import pytest

import tiny
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.edge.bundle.manifest import LARGEST_MANIFEST, Manifest, file_entry, parse


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    data = b"model"
    return Manifest(
        "tiny", tiny.SIGNATURE, (tiny.artifact("m.float32.tflite", data),), {"m.float32.tflite": file_entry(data)}
    )


def sealed(content: dict) -> bytes:
    """`content` as canonical JSON with a digest that fits, so that only the content can be at fault."""
    content = {key: value for key, value in content.items() if key != "digest"}
    return canonical_json(content | {"digest": sha256(canonical_json(content))})


def test_round_trip_gives_the_same_bytes(manifest):
    data = manifest.to_bytes()
    assert parse(data).to_bytes() == data
    assert parse(data).artifacts == manifest.artifacts
    assert parse(data).signature.labels == tiny.LABELS


def test_any_changed_byte_is_refused(manifest):
    data = manifest.to_bytes()
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(InputError):
            parse(damaged)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_cut_manifest_is_refused(manifest, cut):
    with pytest.raises(InputError):
        parse(manifest.to_bytes()[:cut])


FILE = {"bytes": 5, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        (("schema",), 2, "schema"),
        (("schema",), 0, "schema"),
        (("schema",), True, "schema"),
        (("schema",), "1", "schema"),
        (("name",), "", "name"),
        (("name",), 3, "name"),
        (("unknown",), 1, "unknown"),
        (("artifacts",), [], "artifacts"),
        (("artifacts",), {}, "artifacts"),
        (("artifacts", 0, "format"), "exe", "format"),
        (("artifacts", 0, "format"), [], "format"),
        (("artifacts", 0, "precision"), "int4", "precision"),
        (("artifacts", 0, "ranges"), None, "ranges"),
        (("artifacts", 0, "operators"), {"ADD": -1}, "operators"),
        (("artifacts", 0, "operators"), [], "operators"),
        (("artifacts", 0, "bytes"), 6, "files"),
        (("artifacts", 0, "bytes"), 1.5, "bytes"),
        (("artifacts", 0, "extra"), 1, "extra"),
        (("artifacts", 0, "file"), "other.tflite", "files"),
        (("artifacts", 0, "metric"), "good", "metric"),
        (("artifacts", 0, "parity"), None, "parity"),
        (("files",), [], "files"),
        (("files", "a/b"), FILE, "a/b"),
        (("files", ".."), FILE, "'..'"),
        (("files", ".hidden"), FILE, ".hidden"),
        (("files", "a\\b"), FILE, "plain"),
        (("files", "a\x07b"), FILE, "plain"),
        (("files", "cafe\u0301"), FILE, "plain"),
        (("files", ""), FILE, "plain"),
        (("files", "Manifest.json"), FILE, "plain"),
        (("files", "x" * 300), FILE, "plain"),
        (("files", "a"), {"bytes": 1}, "sha256"),
        (("files", "a"), {"bytes": 1, "sha256": "0" * 63}, "sha256"),
        (("files", "a"), {"bytes": 1, "sha256": "G" * 64}, "sha256"),
        (("files", "a"), {"bytes": 3_000_000_000, "sha256": "0" * 64}, "bytes"),
        (("files", "a"), 7, "'a'"),
        (("signature", "labels"), [1], "labels"),
        (("signature", "inputs"), 1, "inputs"),
        (("lineage",), [], "lineage"),
        (("gate",), None, "gate"),
    ],
)
def test_a_wrong_value_is_named(manifest, path, value, names):
    content = json.loads(manifest.to_bytes())
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=names.replace("\\", "\\\\").replace(".", r"\.")) as caught:
        parse(sealed(content))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("key", ["schema", "name", "signature", "artifacts", "files", "lineage", "gate"])
def test_a_missing_key_is_named(manifest, key):
    content = json.loads(manifest.to_bytes())
    del content[key]
    with pytest.raises(InputError, match=key):
        parse(sealed(content))


def test_a_newer_schema_says_what_to_do(manifest):
    content = json.loads(manifest.to_bytes()) | {"schema": 99}
    with pytest.raises(InputError, match="Update"):
        parse(sealed(content))


def test_hostile_json_is_refused(manifest):
    data = manifest.to_bytes()
    deep = json.loads(data)
    for _ in range(30):
        deep["lineage"] = {"a": deep["lineage"]}
    hostile = [
        sealed(deep),
        b"[" * 100_000,
        data.replace(b'"recipe"', b'"recipe": 1, "recipe"') + b" ",
        data.replace(b'"gate": {}', b'"gate": {"x": 1e999}'),
        data.replace(b'"gate": {}', b'"gate": {"x": NaN}'),
        data.replace(b'"gate": {}', b'"gate": {"x": "\\ud800"}'),
        data + b" " * LARGEST_MANIFEST,
        data.replace(b'  "name"', b' "name"'),
        b"\xff\xfe" + data,
        b"null",
        b"[]",
    ]
    for found in hostile:
        assert found != data
        with pytest.raises(InputError):
            parse(found)


def test_a_manifest_that_could_not_be_read_is_not_written(manifest):
    with pytest.raises(InputError, match="files"):
        Manifest("tiny", tiny.SIGNATURE, manifest.artifacts, {}).to_bytes()
