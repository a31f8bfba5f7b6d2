"""What the report of a compression shows beside its files: measured rows, layers, runtimes, figures, commands."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import small
from dltk.base.errors import InputError
from dltk.compress.candidate import Candidate
from dltk.compress.steps import parse_steps
from dltk.edge.metrics import expected_calibration_error, reliability, softmax
from dltk.models.files.keras_file import open_keras
from dltk.quantization.plan import Affine8, QuantizationPlan
from dltk.report.schema import SCHEMA, Report
from dltk.run import Run
from dltk.training.evaluation.report import predict_outputs
from dltk.validate import run_worker
from dltk.workflows.analysis import divergence as layers_compared
from dltk.workflows.analysis.divergence import divergence, probes
from dltk.workflows.analysis.findings import bundle_findings, findings
from dltk.workflows.analysis.layers import layer_rows, signal_to_noise
from dltk.workflows.analysis.steps import CONTROL, trained_settings
from dltk.workflows.compressing.compressed import commands
from dltk.workflows.compressing.source import made_by
from dltk.workflows.measure import Kept, evaluation

pytestmark = small.QUIET
STEPS = ("prune:sparsity=0.4,epochs=2,batch_size=32", "quantize")  # as the fixture `compressed` takes them


class Case:
    """The compressed digits, opened."""

    def __init__(self, trained, compressed, folder):
        self.source = Run.open(trained.path)
        self.made = Run.open(shutil.copytree(compressed.path, folder / "digits"))  # more is written into it
        self.bench = small.bench(trained.path, folder / "step.npz")
        self.planned = parse_steps(STEPS)
        self.model, self.plan = open_keras(self.made.model_path), QuantizationPlan.load(self.made.quantization_path)
        self.report = self.made.read_json("report")
        self.raws, self.targets = self.made.evaluation()
        self.signature = self.source.signature

    def graph(self):
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        return deployed_graph(read(self.model))


@pytest.fixture(scope="module")
def case(trained, compressed, tmp_path_factory):
    return Case(trained, compressed, tmp_path_factory.mktemp("findings"))


@pytest.fixture(scope="module")
def found(case):
    candidate = Candidate(case.model, case.plan)
    samples = evaluation(Kept.of(case.made, case.signature), case.model, case.signature)
    report = Report.from_dict(case.report)
    return findings(case.made, candidate, case.bench, case.planned, report, samples, control=True).as_dict()


def test_a_row_for_each_state_of_the_model(case, found):
    rows = {(row["after"], row["precision"]): row for row in found["bought"]}
    assert list(rows) == [
        ("source, float32", "float32"),
        ("prune", "float32"),
        ("quantize", "int8"),
        (CONTROL, "float32"),
    ]
    source, pruned, int8 = (rows[key] for key in list(rows)[:3])
    assert source["metric"]["drop"] == 0
    assert pruned["bytes"] == source["bytes"]
    assert int8["download_bytes"] < pruned["download_bytes"] < source["download_bytes"]
    assert {row["metric"]["reference"] for row in rows.values()} == {source["metric"]["value"]}
    (measured,) = (row for row in case.report["artifacts"] if row["precision"] == "int8")
    assert int8["p50_ms"] == measured["p50_ms"]  # told, not measured again


def test_the_control_is_trained_for_the_same_epochs_and_is_kept(case, found, tmp_path):
    from dltk.training.checkpoint import read
    from dltk.workflows.analysis.steps import train_control

    (settings,) = trained_settings(case.planned, Report.of(case.made).steps)
    assert (settings.epochs, settings.batch_size) == (2, 32)
    fresh = Run(tmp_path / "fresh")
    control = train_control(fresh, case.bench, [settings])
    history = read(fresh.checkpoints / "control-0.npz").history
    assert [row["epoch"] for row in history] == [0, 1, 2]
    split = case.bench.dataset.validation
    judged = predict_outputs(control, split, case.signature).argmax(-1) == split.targets
    best = max(row["validation_accuracy"] for row in history)
    assert judged.mean() == pytest.approx(best, abs=1e-9), "the best of them, the source's own weights among them"
    path = case.made.path / "steps" / "control.keras"
    kept = path.stat().st_mtime_ns
    quiet = replace(case.bench, dataset=None)  # without data nothing could be trained again
    again = train_control(case.made, quiet, [settings])
    assert path.stat().st_mtime_ns == kept
    assert all(np.array_equal(a, b) for a, b in zip(control.get_weights(), again.get_weights(), strict=True))


def test_layers_tell_zeros_precision_noise_and_reasons(found):
    rows = {row["layer"]: row for row in found["layers"]}
    assert {row["precision"] for row in rows.values()} == {"int8"}
    pruned = [row for row in rows.values() if not row["left"]]
    assert pruned
    assert all(row["sparsity"] == pytest.approx(0.4, abs=0.01) for row in pruned)
    assert rows["logits"]["left"] == [{"step": "prune", "reason": "fewer than 1000 weights"}]
    assert all(row["channels"] == row["channels_before"] for row in rows.values())
    # 8 bits give about 6 dB each; what is lost to weights and to ranges wider than the signal leaves 20 to 45.
    assert all(20 < row["snr_db"] < 60 for row in rows.values())


def test_coarser_grids_are_noisier(case):
    coarse = replace(
        case.plan, tensors={name: Affine8(grid.scale * 4, grid.zero_point) for name, grid in case.plan.tensors.items()}
    )
    fine = signal_to_noise(case.graph(), case.plan, case.signature, case.raws[:16])
    noisy = signal_to_noise(case.graph(), coarse, case.signature, case.raws[:16])
    assert all(noisy[name] < fine[name] - 3 for name in fine)
    assert signal_to_noise(case.graph(), None, case.signature, case.raws[:16]) == {}


def test_without_a_plan_everything_is_float(case):
    rows = layer_rows(case.bench.source, case.model, None, case.signature, case.raws[:2], [])
    assert {row.precision for row in rows} == {"float32"}
    assert {row.snr_db for row in rows} == {None}


def test_the_runtimes_agree_layer_by_layer(case, found):
    told = found["divergence"]
    assert (told["first"], told["failed"]) == (None, "")
    assert [row["layer"] for row in told["layers"]] == [probe.layer for probe in probes(case.graph())]
    # One range a tensor for both: where they differ, one of them rounded the other way, at most some steps later on.
    assert all(row["int8_steps"] <= 4 for row in told["layers"])
    assert all(row["int8_differing"] < 0.05 for row in told["layers"])


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_files_with_every_layer_let_out_answer_as_those_without(case, form):
    wide = layers_compared._Wide(case.graph(), case.signature, probes(case.graph()), case.plan, case.raws[:8])
    target, name = layers_compared.Target(form, "int8"), case.signature.outputs[0].name

    class Bar:
        def advance(self, steps, note):
            pass

    data = layers_compared.emit(case.graph(), case.signature, target, case.plan)
    plain = run_worker(data, form, case.signature, case.raws[:8]).outputs[name]
    assert np.array_equal(wide.run(target, Bar())[name], plain)


def test_the_first_layer_that_differs_is_named(case, monkeypatch):
    emit, names = layers_compared.emit, list(case.graph().layers)
    broken = next(name for name in names[3:] if case.graph().layers[name].weights)

    def damaged(graph, signature, target, plan):
        if target.format == "onnx":
            layer = graph.layers[broken]
            layer = replace(layer, weights=(layer.weights[0] * np.float32(1.5), *layer.weights[1:]))
            graph = replace(graph, layers=dict(graph.layers) | {broken: layer})
        return emit(graph, signature, target, plan)

    monkeypatch.setattr(layers_compared, "emit", damaged)
    told = divergence(case.model, case.signature, case.plan, case.raws[:8])
    assert (told.first, told.first_int8) == (broken, broken)
    (row,) = (row for row in told.layers if row.layer == broken)
    assert row.onnx > 1e-2 > 1e-4 > row.litert


def test_a_format_that_cannot_be_had_is_told(case, monkeypatch):
    def refuse(*_):
        raise InputError("export to ONNX", "every operator must have an ONNX form", "Erfc")

    monkeypatch.setattr(layers_compared, "emit", refuse)
    told = divergence(case.model, case.signature, None, case.raws[:2])
    assert "Erfc" in told.failed
    assert told.layers == ()


def test_figures_before_and_after_are_those_of_the_files(case, found):
    outcomes = found["outcomes"]
    assert outcomes["file"] == "model.int8.tflite"
    (row,) = (row for row in found["bought"] if row["precision"] == "int8")
    assert outcomes["after"]["accuracy"] == pytest.approx(row["metric"]["value"])
    assert outcomes["before"]["accuracy"] == pytest.approx(row["metric"]["reference"])
    assert sum(map(sum, outcomes["after"]["confusion"])) == len(case.targets)
    assert sum(count for *_, count in outcomes["after"]["calibration"]["reliability"]) == len(case.targets)


def test_reliability_is_what_the_calibration_error_sums_up():
    generator = np.random.Generator(np.random.PCG64(3))
    scores, targets = softmax(generator.normal(0, 2, (200, 4))), generator.integers(0, 4, 200)
    bins = reliability(scores, targets)
    error = sum(count * abs(confidence - right) for confidence, right, count in bins) / 200
    assert error == pytest.approx(expected_calibration_error(scores, targets))


def lines_of(source, case, made):
    return commands(made_by(source), source.path, made, case.planned)


def test_the_commands_say_what_was_done(case):
    lines = lines_of(case.source, case, case.made.path)
    finetune, compress, export = map(shlex.split, lines)
    assert finetune[:3] == ["dltk", "finetune", "cnn"]
    assert "--smoke" in finetune
    from dltk.recipe.load import resolve

    pairs = [word for flag, word in pairwise(finetune) if flag == "--set"]
    assert resolve(case.source.recipe, pairs, smoke=True) == case.source.settings()
    steps = [word for flag, word in pairwise(compress) if flag == "--step"]
    assert parse_steps(steps) == case.planned
    assert export == ["dltk", "export", str(case.made.path)]


def test_settings_of_every_kind_come_back_from_their_text():
    for text in ("prune:keep=conv2d,conv2d_1,sparsity=0.25", "quantize:repair=false", "cluster:start=linear", "prune"):
        planned = parse_steps([text])
        assert parse_steps([planned[0].as_text()]) == planned


def test_a_compressed_run_compressed_again_names_the_whole_line(case, tmp_path):
    before = lines_of(case.source, case, case.made.path)
    case.made.write_json("report", case.report | {"commands": before})
    try:
        lines = lines_of(case.made, case, tmp_path / "again")
    finally:
        case.made.write_json("report", case.report)
    assert lines[:2] == before[:2]
    assert [shlex.split(line)[1] for line in lines] == ["finetune", "compress", "compress", "export"]


def test_a_bundle_carries_no_times_and_no_folders(case, found):
    search = {"trials": [{"row": {"p50_ms": 1.0}, "misses": [{"limit": "latency", "found": 1.0}]}]}
    lines = lines_of(case.source, case, case.made.path)
    report = Report.from_dict(case.report | found | {"search": search, "commands": lines})
    told = bundle_findings(report).in_bundle(report.artifacts, {}, None)
    text = json.dumps(told)
    assert "p50_ms" not in text
    assert '"seconds"' not in text
    assert "found" not in json.dumps(told["search"])
    assert str(case.made.path.parent) not in text
    assert told["commands"][-1] == f"dltk export {case.made.name}"
    assert {"machine", "tried"}.isdisjoint(told)
    assert bundle_findings(Report()).in_bundle([], {}, None) == {"schema": SCHEMA} | {
        "artifacts": [],
        "agreement": {},
        "metrics": None,
    }
