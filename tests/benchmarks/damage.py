"""What seeded damage does to a bundle and its model files, and what bare runtimes make of the same files.

The mutations are those of the tests (`tests/fuzz/mutations.py`): bits flipped, bytes set, blocks swapped, zeroed or
repeated, files cut and lengthened; every seed in a process of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_most
from support.shell import ROOT, heading, reach_tests

__all__ = ["damage"]

_BUNDLE = ROOT / "exported" / "digits"
_SEEDS, _ARTIFACT_SEEDS = 3000, 150
_ARTIFACTS = ("model.float32.tflite", "model.int8.tflite", "model.float32.onnx", "model.int8.onnx")
_RAW = (  # in words, the file, how `trials.raw` runs it
    ("LiteRT from bytes, float32", "model.float32.tflite", "litert"),
    ("LiteRT from bytes, int8", "model.int8.tflite", "litert"),
    ("ONNX Runtime from bytes, float32", "model.float32.onnx", "ort"),
    ("ONNX Runtime from bytes, int8", "model.int8.onnx", "ort"),
    ("tf.lite by path, float32", "model.float32.tflite", "tf.lite"),
    ("tf.lite by path, int8", "model.int8.tflite", "tf.lite"),
)
_MISSED = 2.0  # percent


def damage(*, limit: int = 0) -> list[Figure]:
    """dltk's `load` and `validate`, then the bare runtimes; `limit` seeds of each where it is not 0."""
    reach_tests()
    os.environ["TF_CPP_MIN_LOG_LEVEL"], os.environ["CUDA_VISIBLE_DEVICES"] = "2", "-1"
    seeds, few = limit or _SEEDS, limit or _ARTIFACT_SEEDS
    return [_bundle(seeds), *_validate(few), *(_raw(seeds, *row) for row in _RAW)]


def _bundle(seeds: int) -> Figure:
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as scratch:
        import tiny

        other = Path(scratch, "other")
        tiny.write_bundle(other, {"model.float32.tflite": tiny.tflite(), "model.float32.onnx": tiny.onnx()})
        counts = _counts("bundle", seeds, str(other))
    bad = seeds - counts["refused"]
    what = f"of {seeds:,} damaged bundles accepted, crashed or hung: dltk.edge.load, dltk validate"
    return _figure(what, str(bad), _told(counts), "0", at_most(bad, 0))


def _validate(seeds: int) -> list[Figure]:
    counts: Counter[str] = Counter()
    for file in _ARTIFACTS:
        counts += _counts("validate", seeds, file)
    whole = seeds * len(_ARTIFACTS)
    fell = counts["crash"] + counts["hang"] + counts["unexpected"]
    what = f"of {whole:,} damaged artifacts with a valid manifest: crashes, hangs, unexpected errors of dltk validate"
    missed, words = 100 * counts["missed"] / whole, "percent of them that change other samples, but no golden sample"
    return [
        _figure(what, str(fell), _told(counts), "0", at_most(fell, 0)),
        _figure(words, f"{missed:.1f}", f"{counts['missed']} files", f"at most {_MISSED:g}", at_most(missed, _MISSED)),
    ]


def _raw(seeds: int, words: str, file: str, how: str) -> Figure:
    counts = _counts("raw", seeds, file, how)
    value = f"{counts['differs']:,} change the outputs, {counts['crash']:,} crash"
    return _figure(f"of {seeds:,} damaged files, {words}", value, _told(counts), "", None)


def _counts(trial: str, seeds: int, *settings: str) -> Counter[str]:
    import mutants

    heading(f"{trial}: {Path(settings[0]).name}")
    return Counter(each["outcome"] for each in mutants.survey(trial, _BUNDLE, seeds, *settings))


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _figure(what: str, value: str, spread: str, target: str, met: bool | None) -> Figure:
    command = "python tests/benchmarks/bench.py --only damage"
    return Figure("damage", what, command, value, spread, target, met, machine())
