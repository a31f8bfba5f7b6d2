"""Browser: every file in Chromium, TFLite in LiteRT.js and ONNX in ONNX Runtime Web, and the demo page from the disk.

WebAssembly on one thread, driven by playwright-core. Answers are held to those of the runtimes in this Python.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from device.bundles import bundles
from device.kit import Missing, Row
from device.npm import Case, answers, cases, hold, packages
from dltk.base.files import write_atomic
from dltk.edge.bundle.integrity import read_manifest
from dltk.edge.families import family
from dltk.edge.load import load
from dltk.report.demo import FAMILIES, RUNTIME, write_demo

__all__ = ["rows"]

_PINNED = {RUNTIME.name: RUNTIME.version, "@litertjs/core": "2.5.3", "playwright-core": "1.65.1"}
_FLOAT = 1e-5  # x max(1, largest output): WebAssembly adds in another order
_STATEFUL = {"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}
_JPEG = 2  # of 255, after resizing: decoders may round otherwise; those of Chromium and Pillow gave the same
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def rows(work: Path) -> list[Row]:
    """A row a file, and for each demo page a row a picture that is dropped on it."""
    folders, browser = bundles(work), _browser()
    pages = {work / f"{path.name}.html": path for path in folders if _has_demo(path)}
    for page, path in pages.items():
        write_demo(path, page)
    found, pictures = cases(folders, "tflite", "onnx"), _pictures(work)
    job = {
        "browser": browser,
        "files": [case.as_job() for case in found],
        "demos": [{"html": str(page), "pictures": [str(each) for each in pictures]} for page in pages],
    }
    told = answers(Path(__file__).with_suffix(".mjs"), packages(work, _PINNED), job)
    held = [_held(case, told["files"][case.name]) for case in found]
    return held + [row for page, path in pages.items() for row in _demo(path, told["demos"][str(page)])]


def _browser() -> str:
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    raise Missing("there is no Chromium here. On Debian: apt-get install chromium")


def _has_demo(path: Path) -> bool:
    manifest = read_manifest(path)
    return manifest.signature.family in FAMILIES and any(each.format == "onnx" for each in manifest.artifacts)


def _held(case: Case, told: Mapping[str, Any]) -> Row:
    refusal = _refusal(case)
    if refusal is not None:
        fault = told.get("fault", "it ran")
        promise = f"refused, as documented in docs/how-to/runtimes.md: {refusal}"
        return Row("browser", case.name, promise, fault, refusal in fault)
    # One step: LiteRT.js is another version of the kernels, which may round a half the other way.
    return hold("browser", case, told, steps=1)


def _refusal(case: Case) -> str | None:
    """What LiteRT.js says to files that it is known not to take."""
    if case.artifact.format != "tflite":
        return None
    if case.artifact.precision == "int8-io":
        return "Element type INT8 is not supported"
    return "Variable tensors not yet supported" if _STATEFUL & set(case.artifact.operators) else None


def _pictures(work: Path) -> list[Path]:
    """A photograph, as a PNG and as a JPEG that lies on its side."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    photo, lying = Image.fromarray(load_sample_image("flower.jpg")), Image.Exif()
    lying[0x0112] = 6
    found = []
    for name, options in (("photo.png", {}), ("photo.jpg", {"quality": 90, "exif": lying})):
        stream = io.BytesIO()
        photo.save(stream, "PNG" if name.endswith("png") else "JPEG", **options)
        write_atomic(work / name, stream.getvalue())
        found.append(work / name)
    return found


def _demo(path: Path, told: Mapping[str, Any]) -> list[Row]:
    """How the page answered: without a request or an error, and with what dltk answers to the same file."""
    start = f"{path.name}, demo page"
    quiet = not told["noise"] and told["status"].startswith("Ready")
    measured = told["status"] if quiet else f"{told['status']} {'; '.join(map(str, told['noise']))[:300]}"
    found = [Row("browser", start, "golden samples match; no network request, no error", measured, quiet)]
    return found + [_picture(path, Path(name), answer) for name, answer in told["answers"].items()]


def _picture(path: Path, picture: Path, told: Mapping[str, Any]) -> Row:
    most = 0 if picture.suffix == ".png" else _JPEG
    promise = f"input image {f'within {most} of 255' if most else 'bit-identical'}, predictions of dltk predict"
    what = f"{path.name}, demo page, {picture.name}"
    if "fault" in told:
        return Row("browser", what, promise, told["fault"], False)
    model = load(path, runtime="onnx")
    kind = family(model.signature.family)
    raw = kind.read(picture, model.signature)
    pixels = int(np.abs(np.array(told["raw"]).reshape(raw.shape) - raw.astype(int)).max())
    wanted = model.run(kind.tensors(raw[None], model.signature))[model.signature.outputs[0].name][0]
    apart = float(
        np.abs(np.array(told["output"]).reshape(wanted.shape) - wanted).max() / max(1.0, np.abs(wanted).max())
    )
    answer = model.predict(picture)
    labels = [label for label, _ in answer] if isinstance(answer, list) else list(answer.shares())
    same = told["shown"] == labels
    words = f"pixels differ by {pixels}, outputs by {apart:.2g}, labels {'equal' if same else 'differ'}"
    return Row("browser", what, promise, words, pixels <= most and same and (pixels > 0 or apart <= _FLOAT))
