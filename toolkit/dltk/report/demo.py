"""A page that runs a bundle's model where it is opened: model, runtime and code in one file, from the disk.

The runtime is ONNX Runtime Web, for it runs from `file://`: its script goes into the page as an inline module without
imports, its WebAssembly is handed over as bytes, and one thread needs no worker. LiteRT.js fetches both of its parts by
address, which browsers refuse to a page from the disk, and takes no int8 input.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.fetch import Package, from_package
from dltk.base.files import write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle.integrity import BUDGET, read_file, read_manifest
from dltk.edge.bundle.manifest import Artifact, Manifest
from dltk.edge.bundle.seal import Key
from dltk.edge.bundle.signature import Signature
from dltk.edge.parity import MAX_ABS
from dltk.edge.recorded_errors import GOLDEN_ERROR, RecordedErrors
from dltk.edge.replay import GOLDEN, Golden, read_golden, recorded_errors_of
from dltk.report.template import STYLE
from dltk.report.write import require_writable

__all__ = ["FAMILIES", "RUNTIME", "as_demo", "write_demo"]

FAMILIES = ("classification", "segmentation")
RUNTIME = Package(
    "npm",
    "onnxruntime-web",
    "1.30.0",
    {
        "package/dist/ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        "package/dist/ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    },
    33,
)

_SAMPLES = 2  # golden ones that the page carries
_STEPS = {"decode", "resize", "scale", "standardize", "clip", "reverse_channels"}
_LAST = {"softmax", "sigmoid", "identity"}
_SCRIPTS = ("formats.js", "png.js", "pixels.js", "answers.js", "demo.js")
_LICENCE = """\
ONNX Runtime Web: Copyright (c) Microsoft Corporation. MIT License:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def write_demo(
    path: str | Path,
    out: str | Path,
    *,
    verify: Key | None = None,
    max_memory: int = BUDGET,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Write the page of the bundle at `path` to `out`, whole or not at all.

    Args:
        verify, max_memory: as for `dltk.edge.load`.

    Returns:
        {"kind": "demo", "name", "artifact" (the file inside), "out", "bytes"}.

    Raises:
        UsageError: unless `out` ends in .html.
        InputError: if the bundle is damaged, is for other samples than images, or has no ONNX file.
        EnvironmentFault: if the runtime is unavailable, or the disk does not take the page.
    """
    out = Path(out)
    require_writable(out, formats=("html",))
    manifest = read_manifest(path, verify=verify, max_memory=max_memory)
    artifact = _artifact(manifest, path)
    page = as_demo(path, manifest, artifact, progress=progress)
    write_atomic(out, page)
    return {"kind": "demo", "name": manifest.name, "artifact": artifact.file, "out": str(out), "bytes": len(page)}


def as_demo(path: str | Path, manifest: Manifest, artifact: Artifact, *, progress: Progress = SILENT) -> bytes:
    """The page, UTF-8: equal bundles give equal bytes. For Raises see `write_demo`."""
    samples = read_golden(read_file(path, manifest, GOLDEN), manifest.signature, Path(path) / GOLDEN)
    model = read_file(path, manifest, artifact.file)
    runtime, wasm = (file.read_bytes() for file in from_package(RUNTIME, progress=progress).values())
    style = STYLE + _text("demo.css")
    scripts = _as_global(runtime.decode()), "\n".join(map(_text, _SCRIPTS))
    notices = read_file(path, manifest, "LICENSES.txt").decode(errors="replace") if _has_notices(manifest) else ""
    parts = {
        "policy": _policy(style, scripts),
        "name": html.escape(manifest.name),
        "style": style,
        "lead": html.escape(_lead(manifest, artifact)),
        "about": html.escape(_about(manifest, artifact)),
        "licences": html.escape(f"{_LICENCE}\n{notices}"),
        "bundle": _json(_content(manifest.signature, artifact, samples)),
        "model": _packed(model),
        "wasm": _packed(wasm),
        "runtime": scripts[0],
        "script": scripts[1],
    }
    # In one pass: what is put in is never looked at again, whatever it holds.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("demo.html")).encode()


def _artifact(manifest: Manifest, path: str | Path) -> Artifact:
    """The first ONNX file, which is also what `dltk predict --runtime onnx` takes."""
    _require_fitting(manifest.signature, path)
    for artifact in manifest.artifacts:
        if artifact.format == "onnx":
            return artifact
    hint = "Export one: `dltk export RUN --format onnx`, or both formats without --format."
    raise InputError(path, "--demo needs an ONNX file", ", ".join(each.file for each in manifest.artifacts), hint)


def _require_fitting(signature: Signature, path: str | Path) -> None:
    if signature.family not in FAMILIES:
        hint = f"It works for {' and '.join(FAMILIES)}; `dltk predict` supports all."
        raise InputError(path, "--demo needs a model of images", f"a bundle for {signature.family}", hint)
    axes = 4 if signature.family == "segmentation" else 2
    plain = len(signature.inputs) == len(signature.outputs) == 1 and signature.inputs[0].dtype == "float32"
    shaped = plain and len(signature.inputs[0].shape) == 4 and len(signature.outputs[0].shape) == axes
    if not shaped or signature.inputs[0].shape[3] not in (1, 3):
        received = [list(spec.shape) for spec in (*signature.inputs, *signature.outputs)]
        raise InputError(path, "--demo needs one image in and one output", received)
    unknown = [op["op"] for op in signature.preprocess if op["op"] not in _STEPS]
    unknown += [op["op"] for op in signature.postprocess[-1:] if op["op"] not in _LAST]
    if unknown:
        raise InputError(path, f"--demo supports the steps {', '.join(sorted(_STEPS | _LAST))}", ", ".join(unknown))
    if signature.labels and len(signature.labels) != signature.outputs[0].shape[-1]:
        raise InputError(f"{path}: labels", f"must be {signature.outputs[0].shape[-1]}, one per output")


def _content(signature: Signature, artifact: Artifact, samples: Golden) -> dict[str, Any]:
    name, output = signature.inputs[0].name, samples.outputs[signature.outputs[0].name]
    then = recorded_errors_of(artifact, samples, signature)
    return {
        "signature": signature.as_dict(),
        "parity": _parity(artifact, output) if then is None else _measured(then),
        "golden": [
            {"raw": _packed(raw.tobytes()), "tensor": _packed(_floats(tensor)), "output": _packed(_floats(wanted))}
            for raw, tensor, wanted in zip(samples.raws, samples.tensors[name], output, strict=True)
        ][:_SAMPLES],
    }


def _measured(then: RecordedErrors) -> Mapping[str, Any]:
    """What `dltk validate` holds these golden samples to, each by itself."""
    (unit,) = then.unit.values()
    return {"measure": GOLDEN_ERROR, "unit": unit, "errors": list(then.errors[:_SAMPLES]), "margin": then.margin}


def _parity(artifact: Artifact, output: NDArray[Any]) -> Mapping[str, Any]:
    """The same as one number, where that was not measured: the largest difference, or the least mean cosine."""
    try:
        measure, tolerance = str(artifact.parity["measure"]), float(artifact.parity["tolerance"])
    except (KeyError, TypeError, ValueError) as fault:
        raise InputError(
            f"{artifact.file}: parity", "needs a measure and a tolerance", dict(artifact.parity)
        ) from fault
    limit = tolerance * max(1.0, float(np.abs(output).max())) if measure == MAX_ABS else tolerance
    return {"measure": measure, "limit": limit}


def _floats(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _json(value: Any) -> str:
    """JSON that ends no script element, whatever its texts hold."""
    return json.dumps(value, sort_keys=True).replace("<", "\\u003c")


def _as_global(runtime: str) -> str:
    """The runtime's module with its exports in the variable `ort`, where the next script finds them."""
    found = re.search(r"export\{([^}]*)\};", runtime)
    if found is None or "</script" in runtime or "<!--" in runtime:
        raise EnvironmentFault(RUNTIME.name, "its script must be one module that can be embedded in a page")
    names = (pair.partition(" as ") for pair in found[1].split(","))
    table = ",".join(f"{theirs}:{ours}" for ours, _, theirs in names if theirs != "default")
    return f"{runtime[: found.start()]}globalThis.ort={{{table}}};"


def _policy(style: str, scripts: tuple[str, ...]) -> str:
    """Nothing from anywhere but these very scripts and styles: not even a network, should the page be tricked."""
    hashes = " ".join(map(_hash, scripts))
    return f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval'; style-src {_hash(style)}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return files("dltk.report").joinpath("web", name).read_text("utf-8")


def _has_notices(manifest: Manifest) -> bool:
    return "LICENSES.txt" in manifest.files


def _lead(manifest: Manifest, artifact: Artifact) -> str:
    what = "one class per pixel" if manifest.signature.family == "segmentation" else "labels"
    return (
        f"A model that predicts {what} for images, in this one file: {artifact.file}, {artifact.bytes / 1000:.1f} KB."
    )


def _about(manifest: Manifest, artifact: Artifact) -> str:
    return (
        f"Made by dltk from the bundle {manifest.name}. It runs {artifact.file} (SHA-256 "
        f"{manifest.files[artifact.file].sha256}) in {RUNTIME.name} {RUNTIME.version}, on one thread. PNG files are "
        "decoded, and all images resized and scaled, bit-identical to dltk. JPEG, WebP, BMP and GIF files are "
        "decoded by this browser."
    )
