"""What hypothesis makes of manifests, settings, pictures, archives and other files, and who is to read it.

    python tests/fuzz/fuzzing.py 60

Nothing but dltk's own errors may come out. Tries for so many seconds, prints how many examples each reader got, and
ends with the first that is wrong, made as small as hypothesis can.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "support"))
    import importing

    importing.reach()


import fuzz_arrays
import fuzz_kept
import fuzz_sources
import sounds
import tiny
from dltk.base.errors import DltkError
from dltk.base.files import canonical_json, parse_json, sha256
from dltk.edge.bundle.archive import pack
from dltk.edge.bundle.arrays import npz_bytes, parse_npz
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.bundle.manifest import parse
from dltk.edge.bundle.signature import Signature
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.tokens import padded_tokens
from dltk.edge.input.wav import read_wav
from dltk.edge.sources.arrays import read_arrays
from dltk.edge.sources.tables import read_table
from dltk.recipe import Recipe
from dltk.recipe.load import read, registered, resolve
from dltk.recipe.settings import apply
from dltk.remote.answers import BENCH, GREETING, VALIDATION, fits
from edge.signatures import SIGNATURES, TOKENIZER, answered
from fuzz_values import Target, changed, changed_json, on_disk, tried

__all__ = ["TARGETS"]


def _pictures() -> st.SearchStrategy[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)

    def saved(kind: str, mode: str) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(stream, kind)
        return stream.getvalue()

    kinds = [
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("WEBP", "RGB"),
    ]
    return st.one_of([changed(saved(*kind)) for kind in kinds])


@cache
def _bundle() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        path = Path(folder) / "bundle"
        tiny.write_bundle(path, {"model.float32.onnx": tiny.onnx()})
        return {entry.name: entry.read_bytes() for entry in path.iterdir()}


def _manifest(content: Any) -> object:
    """Under a digest that fits: whoever changes a manifest on purpose makes that right again."""
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key != "digest"}
        try:
            content["digest"] = sha256(canonical_json(content))
        except (ValueError, DltkError):  # NaN, surrogates: no JSON
            content["digest"] = ""
    return parse(json.dumps(content).encode(errors="surrogatepass"))


def _archive(data: bytes) -> object:
    """What is taken must hold what was packed."""

    def whole(path: Path) -> object:
        files = read_bundle(path).files
        assert all(files[name] == _bundle()[name] for name in files)
        return files

    return on_disk(whole, "bundle.zip")(data)


def _signature(case: tuple[str, Any]) -> object:
    """One that is consistent answers, from raw samples to what is printed."""
    name, content = case
    signature = Signature.from_dict(content, "signature")
    require_consistent(signature)
    assets = SIGNATURES[name].assets
    known = all(asset in assets for asset in signature.asset_names)
    return answered(signature.with_assets(lambda asset: assets[asset])) if known else None


def _tokenizer(content: Any) -> object:
    return padded_tokens(["where is my card"], json.dumps(content).encode(errors="surrogatepass"), length=6)


_MACHINE = {"cpu": "x", "architecture": "y", "instructions": ["avx2"], "threads": 4}
_HELLO = {"python": "3.11.1", "numpy": True, "machine": _MACHINE, "runtimes": ["tflite"]}
_NAMED = {"file": "m.onnx", "format": "onnx", "precision": "float32", "status": "passed"}
_VALID = {"samples": 8, "files": 3, "artifacts": [_NAMED]}
_MEASURED = {"bundle": "b", "machine": _MACHINE, "threads": 1, "artifacts": [{**_NAMED, "status": "skipped"}]}


# --- settings


@cache
def _recipes() -> Mapping[str, Recipe]:
    return {name: read(name).recipe for name in registered()}


def _setting() -> st.SearchStrategy[tuple[str, str]]:
    """A recipe and a pair as `--set` takes it: a known key or something like it, any text or a likely value."""
    from dataclasses import asdict

    def keys(value: Any, before: str = "") -> list[str]:
        if not isinstance(value, dict):
            return [before[1:]]
        return [found for key, item in value.items() for found in keys(item, f"{before}.{key}")]

    known = [(name, key) for name, recipe in _recipes().items() for key in keys(asdict(recipe.settings))]
    likely = st.sampled_from(
        ["", "0", "-1", "1e400", "nan", "true", "None", "1,2", "[1]", "'", "\0", "9" * 5000, "a=b"]
    )
    key = st.sampled_from(known) | st.tuples(st.sampled_from(sorted(_recipes())), st.text(max_size=20))
    return st.builds(lambda key, value: (key[0], f"{key[1]}={value}"), key, likely | st.text(max_size=20))


def _kept_settings(name: str) -> Any:
    from dataclasses import asdict

    return json.loads(canonical_json(asdict(_recipes()[name].settings)))


def _of_a_run(case: tuple[str, Any]) -> object:
    name, values = case
    if not isinstance(values, dict):
        return None  # apply takes a mapping: what recipe.json holds is checked to be one before
    return apply(_recipes()[name].settings, values)


def targets() -> dict[str, Target]:
    """Name -> what is made, and who reads it."""
    bundle = _bundle()
    archive, table = pack(bundle), b'a,b,"c"\n1,2,"x ""y"""\n3,,z\n'
    rows = {"x": np.arange(12.0).reshape(3, 4), "y": np.arange(3)}
    runs = st.sampled_from(sorted(_recipes())).flatmap(
        lambda name: st.tuples(st.just(name), changed_json(_kept_settings(name)))
    )
    kinds = st.sampled_from(sorted(SIGNATURES)).flatmap(
        lambda name: st.tuples(st.just(name), changed_json(json.loads(json.dumps(SIGNATURES[name].as_dict()))))
    )
    told = st.sampled_from([(GREETING, _HELLO), (BENCH, _MEASURED), (VALIDATION, _VALID)]).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), changed_json(pair[1]))
    )
    return {
        "signatures": Target(kinds, _signature),
        "tokenizers": Target(changed_json(json.loads(TOKENIZER)), _tokenizer),
        "answers of a machine": Target(told, lambda pair: fits(pair[1], pair[0])),
        "manifests": Target(changed_json(json.loads(bundle["manifest.json"])), _manifest),
        "bytes of manifests": Target(changed(bundle["manifest.json"]), parse),
        "json": Target(st.text().map(str.encode) | st.binary(), lambda data: parse_json(data, "input")),
        "settings": Target(_setting(), lambda pair: resolve(_recipes()[pair[0]], [pair[1]])),
        "settings of runs": Target(runs, _of_a_run),
        "images": Target(_pictures() | st.binary(max_size=200), lambda data: decode_image(data, max_pixels=100_000)),
        "archives": Target(changed(archive) | st.binary(max_size=200), _archive),
        "golden samples": Target(changed(npz_bytes(rows)), lambda data: parse_npz(data, "golden.npz")),
        "arrays": Target(changed(npz_bytes(rows)), on_disk(read_arrays, "a.npz")),
        "recordings": Target(changed(sounds.wav(np.zeros(40))), read_wav),
        "tables": Target(changed(table) | st.binary(max_size=60), on_disk(read_table, "a.csv")),
    }


TARGETS = targets() | fuzz_kept.targets() | fuzz_arrays.targets() | fuzz_sources.targets()


if __name__ == "__main__":
    share = float(sys.argv[1]) / len(TARGETS)
    print(json.dumps({name: tried(target, share) for name, target in TARGETS.items()}))
