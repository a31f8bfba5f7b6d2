"""`manifest.json`: what a bundle holds, with size and hash of every file; canonical JSON that carries its digest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, sha256
from dltk.base.install import update_hint
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.signature import Signature, require_plain_name

__all__ = [
    "FORMATS",
    "MANIFEST",
    "MOST_FILES",
    "PRECISIONS",
    "SCHEMA",
    "SEAL",
    "SEAL_BYTES",
    "Artifact",
    "FileEntry",
    "Manifest",
    "file_entry",
    "parse",
]

MANIFEST = "manifest.json"
SEAL = "manifest.sig"  # an Ed25519 signature of the manifest's bytes, 64 bytes; who asks for it checks it
SEAL_BYTES = 64
SCHEMA = 1
FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8-io", "int16x8")
RANGES = ("shared", "native", "none")

LARGEST_MANIFEST = 1_000_000  # bytes
LARGEST_FILE = 2_000_000_000  # bytes: flatbuffers and protobufs end there
MOST_FILES = 200
_DEEPEST = 20


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file of the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """One model file for one runtime.

    Attributes:
        file: its plain name in the bundle.
        format: "tflite" or "onnx".
        precision: one of `PRECISIONS`.
        minimum_runtime: oldest runtime it was seen to load in, e.g. "ai-edge-litert 1.0.1".
        operators: operator name -> how often it stands in the file.
        ranges: "shared" (one set for both formats), "native" (that tool's own calibration), "none" (float).
        parity: {"measure": "max_abs" or "cosine", "error": .., "tolerance": .., ...} against the reference outputs.
        metric: {"name": .., "value": .., "interval": ..}, or None where nothing was scored.
        bytes: raw size; download_bytes: after `gzip -9 -n`.
    """

    file: str
    format: str
    precision: str
    minimum_runtime: str
    operators: Mapping[str, int]
    ranges: str
    parity: Mapping[str, Any]
    metric: Mapping[str, Any] | None
    bytes: int
    download_bytes: int

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Artifact:
        """An artifact out of parsed JSON.

        Raises:
            InputError: naming the key that does not fit.
        """
        _exact_keys(found, (item.name for item in fields(cls)), where)
        for key, allowed in (("format", FORMATS), ("precision", PRECISIONS), ("ranges", RANGES)):
            if found[key] not in allowed:
                raise InputError(f"{where}: {key}", f"must be one of {', '.join(allowed)}", found[key])
        for key in ("file", "minimum_runtime"):
            _text(found, key, where)
        operators = _mapping(found, "operators", where)
        if not all(_is_count(count) for count in operators.values()):
            raise InputError(f"{where}: operators", "must count operators by name", operators)
        _mapping(found, "parity", where)
        if found["metric"] is not None:
            _mapping(found, "metric", where)
        for key in ("bytes", "download_bytes"):
            if not _is_count(found[key]):
                raise InputError(f"{where}: {key}", "must be a number of bytes", found[key])
        return cls(**found)


@dataclass(frozen=True)
class Manifest:
    """The description of a bundle.

    Attributes:
        name: the bundle's.
        signature: what the model takes and gives.
        artifacts: in order of preference: `load` takes the first whose runtime is installed.
        files: every file of the bundle but the manifest itself.
        lineage: recipe digest, source digest, seeds, tool versions, CPU instruction set.
        gate: limits that the artifacts met.
        schema: version of this layout.
    """

    name: str
    signature: Signature
    artifacts: tuple[Artifact, ...]
    files: Mapping[str, FileEntry]
    lineage: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the digest."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the bundle: equal manifests give equal bytes.

        Raises:
            InputError: if `parse` would refuse it.
        """
        content = self.as_dict()
        data = canonical_json(content | {"digest": sha256(canonical_json(content))})
        parse(data, f"manifest of {self.name}")
        return data


def file_entry(data: bytes) -> FileEntry:
    """Size and hash of a file's bytes."""
    return FileEntry(len(data), sha256(data))


def parse(data: bytes, where: object = MANIFEST) -> Manifest:
    """The manifest in `data`, checked key by key.

    Raises:
        InputError: naming the key, if anything is missing, unknown, of another type, out of range, or damaged.
    """
    if len(data) > LARGEST_MANIFEST:
        raise InputError(where, f"must be at most {LARGEST_MANIFEST} bytes", f"{len(data)} bytes")
    found = parse_json(data, where)
    _require_schema(found, where)
    _exact_keys(found, [*(item.name for item in fields(Manifest)), "digest"], where)
    _require_plain_values(found, where, "manifest", _DEEPEST)
    _require_digest(found, data, where)
    _text(found, "name", where)
    if not isinstance(found["artifacts"], list) or not found["artifacts"]:
        raise InputError(f"{where}: artifacts", "must list at least one artifact", found["artifacts"])
    artifacts = tuple(Artifact.from_dict(item, f"{where}: artifacts[{i}]") for i, item in enumerate(found["artifacts"]))
    files = _files(_mapping(found, "files", where), where)
    signature = Signature.from_dict(found["signature"], f"{where}: signature")
    require_consistent(signature, f"{where}: signature")
    _require_listed(artifacts, signature, files, where)
    return Manifest(
        name=found["name"],
        signature=signature,
        artifacts=artifacts,
        files=files,
        lineage=_mapping(found, "lineage", where),
        gate=_mapping(found, "gate", where),
        schema=found["schema"],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Signature):
        return _plain(value.as_dict())
    if isinstance(value, (Artifact, FileEntry)):
        return _plain(asdict(value))
    return value


def _require_schema(found: Any, where: object) -> None:
    schema: Any = found.get("schema") if isinstance(found, dict) else None
    if not _is_count(schema) or schema < 1:
        raise InputError(f"{where}: schema", "must be a positive whole number", schema)
    if schema > SCHEMA:
        raise InputError(f"{where}: schema", f"this version of dltk reads up to {SCHEMA}", schema, update_hint())


def _require_digest(found: dict[str, Any], data: bytes, where: object) -> None:
    hint = "The file is damaged: export the bundle again, or copy it again."
    try:
        content = {key: value for key, value in found.items() if key != "digest"}
        digest, canonical = sha256(canonical_json(content)), canonical_json(found)
    except ValueError as fault:  # a lone surrogate: valid JSON, no Unicode text
        raise InputError(where, "must hold Unicode text only", str(fault)) from fault
    if digest != found["digest"]:
        raise InputError(f"{where}: digest", f"must be {digest}", found["digest"], hint)
    if canonical != data:
        raise InputError(where, "must be canonical JSON (sorted keys, two spaces, one newline at the end)", hint=hint)


def _require_plain_values(value: Any, where: object, key: str, depth: int) -> None:
    if depth == 0:
        raise InputError(f"{where}: {key}", f"must nest at most {_DEEPEST} deep")
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is valid JSON
        raise InputError(f"{where}: {key}", "must be a finite number", value)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        _require_plain_values(child, where, str(name), depth - 1)


def _files(found: Mapping[str, Any], where: object) -> dict[str, FileEntry]:
    if len(found) > MOST_FILES:
        raise InputError(f"{where}: files", f"must be at most {MOST_FILES}", len(found))
    for name, entry in found.items():
        place = f"{where}: files: {name!r}"
        require_plain_name(name, place)
        if name.casefold() in (MANIFEST, SEAL):
            raise InputError(place, "must be a plain file name, and not the manifest's or its signature's")
        _exact_keys(entry, ("bytes", "sha256"), place)
        if not _is_count(entry["bytes"]) or entry["bytes"] > LARGEST_FILE:
            raise InputError(f"{place}: bytes", f"must be at most {LARGEST_FILE}", entry["bytes"])
        digest = entry["sha256"]
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(f"{place}: sha256", "must be 64 hexadecimal digits", digest)
    return {name: FileEntry(**entry) for name, entry in found.items()}


def _require_listed(
    artifacts: tuple[Artifact, ...], signature: Signature, files: Mapping[str, FileEntry], where: object
) -> None:
    names = [artifact.file for artifact in artifacts]
    if len(set(names)) != len(names):
        raise InputError(f"{where}: artifacts", "must be different files", names)
    for artifact in artifacts:
        if artifact.file not in files or files[artifact.file].bytes != artifact.bytes:
            raise InputError(f"{where}: files", f"must list {artifact.file!r} with {artifact.bytes} bytes")
    missing = sorted(set(signature.asset_names) - set(files))
    if missing:
        raise InputError(f"{where}: files", f"must list {missing[0]!r}, which a step of the signature reads")


def _exact_keys(found: Any, expected: Iterable[str], where: object) -> None:
    wanted = set(expected)
    if not isinstance(found, dict):
        raise InputError(where, "must be a JSON object", found)
    for rule, keys in (("lacks a key", wanted - set(found)), ("has an unknown key", set(found) - wanted)):
        if keys:
            raise InputError(where, rule, ", ".join(sorted(keys)))


def _mapping(found: dict[str, Any], key: str, where: object) -> Mapping[str, Any]:
    if not isinstance(found[key], dict):
        raise InputError(f"{where}: {key}", "must be a JSON object", found[key])
    return dict(found[key])


def _text(found: dict[str, Any], key: str, where: object) -> None:
    if not isinstance(found[key], str) or not found[key]:
        raise InputError(f"{where}: {key}", "must be text", found[key])


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
