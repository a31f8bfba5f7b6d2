"""How well `audio-keyword` tells spoken digits of speakers it never heard, and of those it did.

The data is the Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0) as it was with
four speakers, unpacked to `spoken-digits/` below the folder that DLTK_BENCH_DATA names: a folder a digit, files called
DIGIT_SPEAKER_NUMBER.wav.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from statistics import mean

from dltk.base.files import parse_json, read_capped
from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, at_most, points_lost, spread
from support.shell import Failure, console_script, once, run_json, shown

__all__ = ["spoken_digits"]

_NAME = "audio-keyword"
_SEEDS = (0, 1, 2)
_UNHEARD, _HEARD = 0.80, 0.97  # shares of right answers that are asked for
_LOST = 2.0  # points that int8 may lose
_OWN = ("data.rate=8000", "data.seconds=0.75")  # what the recordings have
_OPEN = ("drop=1", "cosine=-1", "top1_agreement=0")


def spoken_digits(*, runs: Path, limit: int) -> list[Figure]:
    """One fold a speaker: trained on the others, judged on all recordings of that one; and a split of recordings."""
    folder = _folder()
    speakers = _speakers(folder)
    found: dict[str, list[float]] = {speaker: [] for speaker in speakers}
    command, heard_command, heard = "", "", []
    for seed in _SEEDS:
        for speaker in speakers:
            table = runs / f"{_NAME}-{speaker}.csv"
            _write_fold(table, folder, speaker)
            run, command = _trained(runs / f"{_NAME}-{speaker}-{seed}", table, limit, seed)
            found[speaker].append(_accuracy(run))
        run, heard_command = _trained(runs / f"{_NAME}-heard-{seed}", folder, limit, seed)
        heard.append(_accuracy(run))
    means = [mean(scores) for scores in zip(*found.values(), strict=True)]
    middle, words = spread(means, "{:.3f}")
    worst = min(found, key=lambda speaker: mean(found[speaker]))
    words += f", means of {len(speakers)} folds, one seed each; worst {worst}: {mean(found[worst]):.3f}"
    share, heard_words = spread(heard, "{:.3f}")
    return [
        _figure(command, "mean accuracy on a held-out speaker", f"{middle:.3f}", words,
                f"at least {_UNHEARD:g}", at_least(min(means), _UNHEARD)),
        _figure(heard_command, "accuracy on known speakers, held-out recordings", f"{share:.3f}",
                f"{heard_words}, one seed each", f"at least {_HEARD:g}", at_least(min(heard), _HEARD)),
        _int8(runs / f"{_NAME}-heard-{_SEEDS[0]}", runs),
    ]  # fmt: skip


def _folder() -> Path:
    given = os.environ.get("DLTK_BENCH_DATA")
    folder = Path(given or "", "spoken-digits").absolute()
    if not given or not (folder / "0").is_dir():
        raise Failure(f"DLTK_BENCH_DATA must name the folder that holds spoken-digits/0 ... 9; received {given}")
    return folder


def _speakers(folder: Path) -> list[str]:
    return sorted({path.stem.split("_")[1] for path in folder.glob("*/*.wav")})


def _write_fold(table: Path, folder: Path, speaker: str) -> None:
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("path", "label", "split"))
        for path in sorted(folder.glob("*/*.wav")):
            writer.writerow((path, path.parent.name, "test" if path.stem.split("_")[1] == speaker else "train"))


def _trained(run: Path, data: Path, limit: int, seed: int) -> tuple[Path, str]:
    pairs = (*_OWN, f"seed={seed}", *([f"data.limit={limit}"] if limit else []))
    words = [word for pair in pairs for word in ("--set", pair)]
    command = [console_script(), "finetune", _NAME, "--data", data, "--run", run, *words]
    return once(run, command), shown(command)


def _accuracy(run: Path) -> float:
    metrics = parse_json(read_capped(run / "metrics.json", 100_000_000), run)
    return float(metrics["accuracy"])


def _int8(source: Path, runs: Path) -> Figure:
    made, bundle = runs / f"{_NAME}-int8", runs / f"{_NAME}-int8-bundle"
    step = ["--step", "quantize:precision=int8"]
    command = [console_script(), "compress", source, "--no-control", "--run", made, *step]
    once(made, command)
    gate = [word for pair in _OPEN for word in ("--gate", pair)]
    wanted = ["--format", "tflite", "--precision", "int8", *gate, "--out", bundle, "--json"]
    exported, _ = run_json([console_script(), "export", made, *wanted])
    (artifact,) = exported["artifacts"]
    lost, words = points_lost(artifact["metric"], "recordings")
    size = (bundle / artifact["file"]).stat().st_size
    what = f"points of accuracy lost in int8, a file of {size:,} bytes"
    return _figure(shown(command), what, f"{lost:+.2f}", words, f"at most {_LOST:g}", at_most(lost, _LOST))


def _figure(command: str, what: str, value: str, spread: str, target: str, met: bool) -> Figure:
    return Figure(_NAME, what, command, value, spread, target, met, machine())
