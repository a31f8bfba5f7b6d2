"""`compress` within limits, on a real Run: what is found is a Run like any other."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

import small
from dltk.base.errors import InputError, LimitError, UsageError
from dltk.base.progress import Silent
from dltk.edge.runtime.worker import run_worker
from dltk.report.compression import step_table
from dltk.report.read_compression import read_compression
from dltk.report.schema import Report
from dltk.run import Run
from dltk.search.limits import Amount, Limits
from dltk.workflows import compress
from dltk.workflows.analysis.findings import bundle_findings
from dltk.workflows.compress import CompressOptions

pytestmark = small.QUIET
EASY = {"max_drop": "0.5", "max_size": "1MB"}


class Stop(Silent):
    """Interrupts where a bar with this label would begin; counts the bars of others."""

    def __init__(self, label=None):
        super().__init__()
        self.label, self.bars = label, []

    def bar(self, label, total):
        self.bars.append(label)
        if self.label and label.startswith(self.label):
            raise KeyboardInterrupt
        return super().bar(label, total)


@pytest.fixture(scope="module")
def found(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched") / "run"
    progress = Silent()
    return compress(trained.path, limits=Limits.parse(**EASY), out=folder, progress=progress), progress


def test_what_is_found_is_a_run_as_its_steps_would_have_made_it(trained, found, tmp_path):
    made, _ = found
    again = compress(trained.path, steps=made.report["search"]["trials"][0]["steps"], out=tmp_path / "again")
    for name in ("model.keras", "quantization.npz", "baseline.npz", "evaluation.npz", "metrics.json", "signature.json"):
        assert (made.run.path / name).read_bytes() == (again.run.path / name).read_bytes(), name
    assert made.report["steps"] == again.report["steps"]
    assert Run.open(made.run.path).is_finished
    assert not (made.run.path / "candidates" / "steps").exists()
    assert not list(made.run.path.rglob(".dltk-*"))


def test_the_report_tells_every_candidate_and_why_it_was_taken(trained, found):
    made, progress = found
    told = made.report["search"]
    assert told["met"]
    assert told["chosen"] == 1
    assert told["front"] == [1]
    assert told["misses_on_test"] == []
    assert told["stages"] == [{"stage": "int8", "trials": [1]}]
    assert told["bounds"] == {"drop": 0.5, "size": 1_000_000}
    (trial,) = told["trials"]
    assert trial["misses"] == []
    assert trial["row"]["file"] == "model.int8.tflite"
    dataset = small.bench(trained.path, made.run.path / "none.npz").dataset
    assert told["samples"] == trial["row"]["metric"]["samples"] == len(dataset.validation)
    (line,) = [text for text in progress.said if text.startswith("candidate")]
    assert line.startswith("candidate 1, int8: quantize:repair=false: drop ")
    assert line.endswith("meets every limit")
    # The figures of the Run are those of the test split, which decided nothing.
    assert made.report["artifacts"][1]["metric"]["samples"] == len(dataset.test)


def test_it_is_finished_when_it_is_finished(trained, found):
    made, _ = found
    progress = Silent()
    again = compress(trained.path, limits=Limits.parse(**EASY), out=made.run.path, resume=True, progress=progress)
    assert again.report == made.report
    assert "is finished already" in progress.said[0]
    with pytest.raises(InputError, match="begun with other steps or another model"):
        compress(trained.path, limits=Limits.parse(max_drop="0.4"), out=made.run.path, resume=True)
    with pytest.raises(InputError, match="begun with other steps or another model"):
        compress(trained.path, steps=("quantize",), out=made.run.path, resume=True)


def test_the_closest_is_kept_where_nothing_meets_the_limits(trained, tmp_path):
    limits = Limits.parse(max_size="1KB")
    with pytest.raises(LimitError, match=r"no candidate meets them all; received size \d+") as caught:
        compress(trained.path, limits=limits, options=CompressOptions(0), out=tmp_path / "run")
    assert caught.value.exit_code == 4
    report = caught.value.measured
    assert [trial["stage"] for trial in report["search"]["trials"]] == ["int8", "bias correction"]
    assert not report["search"]["met"]
    assert report == Run.open(tmp_path / "run").read_json("report")
    with pytest.raises(LimitError, match="no candidate meets them all"):
        compress(trained.path, limits=limits, out=tmp_path / "run", resume=True)


class Slow:
    """A machine that takes 100 ms for anything."""

    machine = {"cpu": "slow", "instructions": [], "host": "pi@raspberrypi"}

    def run(self, artifact, format, signature, raws):
        result = run_worker(artifact, format, signature, raws)
        return replace(result, milliseconds={"p50": 100.0, "p90": 100.0, "p99": 100.0, "runs": 20})


def test_latency_is_judged_by_the_machine_that_measures(trained, tmp_path):
    with pytest.raises(LimitError, match=r"received latency 100\.000 ms \(at most 99\.000 ms\)"):
        compress(
            trained.path,
            limits=Limits.parse(max_latency="99ms"),
            options=CompressOptions(0, device=Slow()),
            out=tmp_path / "run",
        )
    report = Run.open(tmp_path / "run").read_json("report")
    rows = [trial["row"] for trial in report["search"]["trials"]] + report["artifacts"] + report["bought"]
    assert {row["p50_ms"] for row in rows} == {100.0}
    assert report["machine"] == Slow.machine
    assert "raspberrypi" not in str(
        bundle_findings(Report.from_dict(report)).in_bundle([], {}, None)
    )  # a bundle says nothing of time
    assert "on pi@raspberrypi (slow)" in step_table(read_compression(Report.from_dict(report), "report")).note


def test_given_steps_are_taken_and_held_to_the_limits(trained, tmp_path):
    steps = ("quantize:precision=float16",)
    made = compress(trained.path, steps=steps, limits=Limits.parse(max_drop="0.1"), out=tmp_path / "met")
    assert made.report["search"]["stages"] == [{"stage": "steps", "trials": [1]}]
    assert made.report["search"]["met"]
    with pytest.raises(LimitError, match="size"):
        compress(trained.path, steps=steps, limits=Limits.parse(max_size="1/4"), out=tmp_path / "missed")
    report = Run.open(tmp_path / "missed").read_json("report")
    assert [step["settings"]["precision"] for step in report["steps"]] == ["float16"]
    (trial,) = report["search"]["trials"]
    assert [miss["limit"] for miss in trial["misses"]] == ["size"]
    assert [miss["limit"] for miss in report["search"]["misses_on_test"]] == ["size"]
    assert trial["misses"][0]["wanted"] == pytest.approx(report["search"]["source"]["bytes"] / 4)


def test_what_does_not_fit_is_said_before_anything_is_made(trained, tmp_path):
    with pytest.raises(UsageError, match="which needs limits and no --step"):
        compress(trained.path, options=CompressOptions(3), out=tmp_path / "run")
    with pytest.raises(UsageError, match="which needs limits and no --step"):
        compress(
            trained.path,
            steps=("quantize",),
            limits=Limits.parse(**EASY),
            options=CompressOptions(3),
            out=tmp_path / "run",
        )
    with pytest.raises(UsageError, match="must be 0 or more"):
        compress(trained.path, limits=Limits.parse(**EASY), options=CompressOptions(-1), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_every_cheap_stage_can_be_made(trained, tmp_path):
    """Nobody gains half of all answers, so that each stage is tried; the layers are those of the sensitivity table."""
    limits = Limits(drop=Amount(-0.5))
    with pytest.raises(LimitError, match="drop"):
        compress(trained.path, limits=limits, options=CompressOptions(0), out=tmp_path / "run")
    told = Run.open(tmp_path / "run").read_json("report")["search"]
    assert not [trial["error"] for trial in told["trials"] if trial["error"]]
    stages = [stage["stage"] for stage in told["stages"]]
    assert stages == [
        "int8",
        "bias correction",
        "sensitive layers float",
        "quantization-aware training",
        "half precision",
    ]
    worst = told["sensitivity"][0]["layer"]
    kept = [trial for trial in told["trials"] if trial["stage"] == "sensitive layers float"]
    assert kept[0]["steps"] == [f"quantize:keep={worst}"]
    sizes = [trial["row"]["bytes"] for trial in told["trials"][1 : 2 + len(kept)]]
    assert sizes == sorted(sizes)  # float layers take room
    assert sizes[-1] > sizes[0]


@pytest.mark.slow
def test_interrupted_inside_a_candidate_it_takes_up_its_training(trained, tmp_path):
    """A candidate that prunes, clusters and trains for int8: its finished steps and candidates are not made again."""
    limits, out = Limits.parse(max_download="1KB"), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        compress(trained.path, limits=limits, options=CompressOptions(1), out=out, progress=Stop("cluster 2/"))
    first = sorted((out / "candidates").glob("[0-9]*.json"))
    before = [path.read_bytes() for path in first]
    assert len(first) == 2
    progress = Stop()
    with pytest.raises(LimitError, match="download"):
        compress(trained.path, limits=limits, options=CompressOptions(1), out=out, resume=True, progress=progress)
    assert "2 candidates are done already" in progress.said
    assert not any(bar.startswith(("prune", "cluster 1/", "calibrating")) for bar in progress.bars[:2])
    assert not any(bar.startswith("prune") for bar in progress.bars)
    assert [path.read_bytes() for path in first] == before
    report = Run.open(out).read_json("report")
    assert [trial["stage"] for trial in report["search"]["trials"]] == ["int8", "bias correction", "search"]
    whole = tmp_path / "whole"
    with pytest.raises(LimitError):
        compress(trained.path, limits=limits, options=CompressOptions(1), out=whole)
    assert (out / "model.keras").read_bytes() == (whole / "model.keras").read_bytes()
    assert (out / "quantization.npz").read_bytes() == (whole / "quantization.npz").read_bytes()
    shutil.rmtree(whole)
