"""How far the steps of `dltk compress` get on at most 10,000 images of CIFAR-10, by the commands a user types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_most, points_lost, spread, with_float32
from support.shell import console_script, once, run_json, shown

__all__ = ["ROWS", "SOURCES", "Row", "compression", "source"]

_BENCHES = 3  # runs of `dltk bench`, one file after the other in each
_IMAGES = 10_000  # for the source model and for every step
_OPEN = ("drop=1", "cosine=-1", "top1_agreement=0")

# All 10,000 test images go along in the run, so that drops are measured on each of them.
_COMMON = ("data.evaluation_mb=300",)
SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {  # name of the run -> recipe, settings
    "mobilenet-10k": (
        "image-classification",
        (
            "head.epochs=10", "head.batch_size=64", "head.learning_rate=1e-3", "model.unfreeze_after=block_2_add",
            "augment.translate=0.08", "augment.views=0", "tune.epochs=12", "tune.learning_rate=5e-4",
        ),
    ),
    "cnn-10k": ("cnn", ()),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One compression and what it is held to.

    Attributes:
        source: the run that is compressed.
        steps: as `--step` takes them.
        precision: of the TFLite file that is judged.
        drop: most points of accuracy lost.
        download: most bytes after gzip -9, as a share of the float32 file's bytes; None: not asked.
        latency: most p50, as a share of the source's float32 file; None: not asked.
    """

    source: str
    steps: tuple[str, ...]
    precision: str
    drop: float
    download: float | None = None
    latency: float | None = None


ROWS: dict[str, Row] = {
    "shared-cnn": Row(
        "cnn-10k",
        (
            "prune:sparsity=0.7,epochs=12,batch_size=128,end=0.5,learning_rate=2e-3",
            "cluster:clusters=16,epochs=6,batch_size=128,learning_rate=1e-3",
            "quantize:method=qat,epochs=3,learning_rate=2e-4,batch_size=128",
        ),
        "int8", 0.5, download=1 / 8,
    ),
    "tenth-cnn": Row(
        "cnn-10k",
        (
            "prune:sparsity=0.77,epochs=16,batch_size=128,end=0.5,learning_rate=2e-3",
            "cluster:clusters=16,epochs=8,batch_size=128,learning_rate=1e-3",
            "quantize:method=qat,epochs=3,learning_rate=2e-4,batch_size=128",
        ),
        "int8", 1.0, download=1 / 10,
    ),
    "shared-mobilenet": Row(
        "mobilenet-10k",
        (
            "prune:sparsity=0.78,epochs=12,learning_rate=5e-4,end=0.5,scope=global,batch_norm=freeze,mixup=0.2",
            "cluster:clusters=16,epochs=4,learning_rate=3e-4,mixup=0.2",
            "quantize:method=qat,epochs=3,learning_rate=1e-4",
        ),
        "int8", 1.0, download=1 / 12,
    ),
    "student-mobilenet": Row(
        "mobilenet-10k",
        (
            # CIFAR-10's pictures have 32 pixels each way: at 48 in place of 96 little is lost but three quarters of the
            # multiplications.
            "distil:student=first:block_12_add;size=48,epochs=24,learning_rate=1e-3,temperature=3,mixup=0.2",
            "cluster:clusters=16,epochs=4,learning_rate=3e-4,mixup=0.2",
            "quantize:method=qat,epochs=2,learning_rate=1e-4",
        ),
        "int8", 3.0, download=1 / 25, latency=1 / 5,
    ),
    "channels-mobilenet": Row(
        "mobilenet-10k",
        ("channels:macs=0.54,scope=group,epochs=22,learning_rate=1e-3,mixup=0.2",),
        "float32", 1.0, latency=0.6,
    ),
}  # fmt: skip


def compression(name: str, *, runs: Path, limit: int = 0) -> list[Figure]:
    """Points lost, download and p50 of what `ROWS[name]` makes, against the source's float32 file."""
    row = ROWS[name]
    trained = source(row.source, runs, limit)
    made, command = _compressed(name, row, trained, runs)
    before, _ = _exported(trained, "float32", runs / f"{row.source}-float32")
    after, artifact = _exported(made, row.precision, runs / f"{name}-bundle")
    found = [_drop(name, command, row, artifact)]
    whole = (before / "model.float32.tflite").stat().st_size
    found.append(_download(name, command, row, artifact["download_bytes"], whole))
    found.append(_latency(name, command, row, before, after))
    return found


def source(name: str, runs: Path, limit: int = 0) -> Path:
    """The run called `name` of `SOURCES`, made by its command where it is not there yet."""
    recipe, settings = SOURCES[name]
    pairs = (*settings, *_COMMON, f"data.limit={limit or _IMAGES}")
    command = [console_script(), "finetune", recipe, "--data", "cifar10", "--run", runs / name]
    return once(runs / name, [*command, *(word for pair in pairs for word in ("--set", pair))])


def _compressed(name: str, row: Row, source: Path, runs: Path) -> tuple[Path, str]:
    steps = [word for step in row.steps for word in ("--step", step)]
    command = [console_script(), "compress", source, "--no-control", "--run", runs / name, *steps]
    return once(runs / name, command), shown(command)


def _exported(source: Path, precision: str, bundle: Path) -> tuple[Path, dict[str, Any]]:
    """The bundle with one TFLite file, and what export measured of it.

    The gate is opened: a drop that the row does not allow is a figure here, and no reason to stop.
    """
    gate = [word for pair in _OPEN for word in ("--gate", pair)]
    wanted = ["--format", "tflite", "--precision", precision, *gate, "--out", bundle, "--json"]
    exported, _ = run_json([console_script(), "export", source, *wanted])
    (artifact,) = exported["artifacts"]
    return bundle, artifact


def _drop(name: str, command: str, row: Row, artifact: dict[str, Any]) -> Figure:
    lost, words = points_lost(artifact["metric"])
    what = f"points of accuracy lost: {with_float32(artifact['metric'])}"
    return _figure(name, command, what, f"{lost:+.2f}", words, f"at most {row.drop:g}", at_most(lost, row.drop))


def _download(name: str, command: str, row: Row, packed: int, whole: int) -> Figure:
    target = "" if row.download is None else f"at least 1/{1 / row.download:.0f}"
    met = None if row.download is None else at_most(packed / whole, row.download)
    what = "download (gzip -9) relative to the bytes of the float32 file"
    return _figure(name, command, what, f"1/{whole / packed:.1f}", f"{packed:,} of {whole:,} bytes", target, met)


def _latency(name: str, command: str, row: Row, before: Path, after: Path) -> Figure:
    ratios = []
    for _ in range(_BENCHES):
        (old,), (new,) = (run_json([console_script(), "bench", each, "--json"])[0]["artifacts"]
                          for each in (before, after))  # fmt: skip
        ratios.append(new["p50_ms"] / old["p50_ms"])
    middle, words = spread(ratios, "{:.3f}")
    target = "" if row.latency is None else f"at most {row.latency:g}"
    met = None if row.latency is None else at_most(middle, row.latency)
    what = "LiteRT p50 relative to the float32 file of the source"
    return _figure(name, command, what, f"{middle:.3f}", words, target, met)


def _figure(name: str, command: str, what: str, value: str, words: str, target: str, met: bool | None) -> Figure:
    return Figure(name, what, command, value, words, target, met, machine())
