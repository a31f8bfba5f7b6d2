"""What is read out of runs and bundles, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

import small
import tiny
from dltk.base.errors import InputError
from dltk.base.files import canonical_json
from dltk.edge.runtime.worker import BLOCKED
from dltk.report import as_bytes, as_text, collect
from dltk.report.values import as_number, printable, scalars

CALIBRATION = ("temperature", "expected_calibration_error", "expected_calibration_error_fitted")


def test_a_run_tells_figures_history_and_data(run):
    found = collect(run)
    assert found["kind"] == "run"
    assert found["metrics"] == json.loads((run / "metrics.json").read_text())
    assert found["history"][1] == {
        "phase": "all",
        "epoch": 1,
        "loss": 0.9,
        "accuracy": None,
        "validation_loss": 1.0,
        "seconds": 0.3,
    }
    text = as_text(found)
    for words in ("accuracy   0.", "precision", "calibration error", "at temperature", "History", "cat/broken.jpg"):
        assert words in text
    assert "cat/2.png" in text
    assert "cat/3.png: cat; dog/3.png: dog" in text


def test_a_bundle_tells_its_artifacts(bundle):
    found = collect(bundle)
    assert [each["file"] for each in found["artifacts"]] == ["model.float32.tflite", "model.int8.tflite"]
    int8 = found["artifacts"][1]
    assert int8["bytes"] == (bundle / "model.int8.tflite").stat().st_size
    assert int8["metric"]["interval"] == [0.01, 0.09]
    assert int8["delegated_share"] == 0.5
    assert found["agreement"] == {"int8.top1": 0.9946}
    text = as_text(found)
    for words in ("-5.0 points  -9.0 .. -1.0", "FULLY_CONNECTED 1", "shared", "1e-05", "50%", "int8.top1"):
        assert words in text


def test_a_bundle_without_measurements_is_enough(kit, tmp_path):
    text = as_text(collect(kit.write_bundle(tmp_path / "b")))
    assert "Parity with the reference" in text
    assert "test split" not in text


def test_a_compression_tells_its_steps(kit, tmp_path):
    folder = kit.write_run(tmp_path / "run", kit.classification())
    (folder / "report.json").write_bytes(canonical_json(kit.COMPRESSION))
    found = collect(folder)["compression"]
    assert found["steps"][0]["skipped"] == [{"layer": "softmax", "reason": "stays float"}]
    assert found["steps"][1]["changed"] == []
    text = as_text(collect(folder))
    (measured,) = collect(folder)["artifacts"]
    assert (measured["bytes"], measured["metric"], measured["parity"]["error"]) == (1000, None, 0.001)
    assert "model.int8.tflite" in text
    for words in ("precision=int8", "stays float", "bytes after over before", "few calibration samples"):
        assert words in text


def test_a_compression_tells_what_it_bought(kit, tmp_path):
    folder = kit.write_run(tmp_path / "run", kit.classification())
    (folder / "report.json").write_bytes(canonical_json(kit.findings()))
    text = as_text(collect(folder))
    lines = text.splitlines()
    (int8,) = (line.split()[2:] for line in lines if line.startswith("  quantize, int8"))
    assert int8[:7] == ["4.0", "KB", "1.0", "KB", "1/4.0", "0.2500", "100%"]
    assert int8[7:] == ["0.7500", "-5.0", "points", "-9.0", "..", "-1.0"]
    assert any(line.startswith("  float32, same extra epochs") for line in lines)
    (layer,) = (line.split() for line in lines if " Conv2D " in line)
    assert layer[1:9] == ["Conv2D", "16", "to", "8", "448", "50.0%", "9", "int8"]
    assert "prune: fewer than 1000 weights" in text
    assert "int8: first by more than 1 step of the grid in cat." in text
    assert "float32: nowhere by more than 0.0001" in text
    assert "2 *+  search  prune:sparsity=0.5 quantize" in text
    assert "download at most 1.5 KB, latency at most 0.5000 ms" in text
    assert "none meets them: the closest was chosen, which on the test split misses download" in text
    assert lines[-1] == "  dltk export run"


def test_figures_before_and_after_must_be_those_of_an_evaluation(kit, tmp_path):
    found = kit.findings()
    found["outcomes"]["after"] = found["outcomes"]["after"] | {"confusion": [[1]]}
    folder = kit.write_run(tmp_path / "run", kit.classification())
    (folder / "report.json").write_bytes(canonical_json(found))
    with pytest.raises(InputError, match=r"outcomes\.after: confusion"):
        collect(folder)


FINDINGS = ("bought", "layers", "divergence", "outcomes", "search", "commands", "artifacts", "machine")


def test_findings_that_are_missing_are_empty(kit, tmp_path):
    found = collect(kit.write_bundle(tmp_path / "b", measured=kit.COMPRESSION | dict.fromkeys(FINDINGS)))
    assert found["compression"]["commands"] == []
    assert as_text(found)


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("junk", [3, "x", True, [3], [[[]]], [{"layer": 3, "metric": 3}], {"layers": 3}])
def test_findings_of_another_kind_are_refused_by_name(kit, tmp_path, name, junk):
    """Or are what they should be: a machine may have any keys."""
    bundle = kit.write_bundle(tmp_path / "b", measured=kit.COMPRESSION | {name: junk})
    if isinstance(junk, dict) and name in ("machine", "outcomes", "search"):
        assert as_text(collect(bundle))
        return
    with pytest.raises(InputError, match=rf"report\.json: {name}.*must be") as caught:
        collect(bundle)
    assert "\n" not in str(caught.value)


INSIDE = {
    "layers[0].weights": lambda found: found["layers"][0].update(weights="many"),
    "layers[0].left[0].step": lambda found: found["layers"][0]["left"][0].update(step=["prune"]),
    "bought[1].metric.interval": lambda found: found["bought"][1].update(metric={"interval": "ab"}),
    "steps[0].skipped[0]": lambda found: found["steps"][0].update(skipped=[3]),
    "steps[0].figures": lambda found: found["steps"][0].update(figures=[3]),
    "search.trials[1].row.bytes": lambda found: found["search"]["trials"][1]["row"].update(bytes="x"),
    "search.trials[1].misses[0].limit": lambda found: found["search"]["trials"][1].update(misses=[{"limit": 3}]),
    "search.bounds.drop": lambda found: found["search"].update(bounds={"drop": None}),
    "search.front": lambda found: found["search"].update(front=["2"]),
    "search.met": lambda found: found["search"].update(met="no"),
    "divergence.layers[0].onnx": lambda found: found["divergence"]["layers"][0].update(onnx=True),
    "divergence.first": lambda found: found["divergence"].update(first=3),
    "artifacts[0].parity": lambda found: found["artifacts"][0].update(parity=[]),
    "commands": lambda found: found.update(commands=["dltk", 3]),
    "schema": lambda found: found.update(schema="1"),
}


@pytest.mark.parametrize("place", INSIDE)
def test_a_value_of_another_kind_is_refused_with_its_place(kit, tmp_path, place):
    found = json.loads(canonical_json(kit.findings()))
    INSIDE[place](found)
    folder = kit.write_run(tmp_path / "run", kit.classification())
    (folder / "report.json").write_bytes(canonical_json(found))
    with pytest.raises(InputError, match=re.escape(f"report.json: {place}: must be ")):
        collect(folder)


def test_a_report_of_a_newer_layout_is_refused_and_an_older_one_is_read(kit, tmp_path):
    folder = kit.write_run(tmp_path / "run", kit.classification())
    older, newer = kit.findings(), kit.findings() | {"schema": 2}
    (folder / "report.json").write_bytes(canonical_json(older | {"unknown": 3}))
    assert "schema" not in older
    assert collect(folder)["compression"]["layers"]
    (folder / "report.json").write_bytes(canonical_json(newer))
    with pytest.raises(InputError, match=r"schema: this version of dltk reads up to 1; received 2\. Update"):
        collect(folder)


def test_other_tasks_have_other_figures(kit, tmp_path):
    forecast = as_text(collect(kit.write_run(tmp_path / "f", kit.judged_forecast())))
    assert "mean absolute error" in forecast
    assert "+2" in forecast
    assert "interval coverage" in forecast
    bare = kit.write_run(tmp_path / "g", kit.GENERATOR, history=None, data=None)  # as adopting leaves it
    assert "generator loss   -0.5000" in as_text(collect(bare))


def test_the_epoch_that_won_is_named(kit, tmp_path):
    kept = {"phase": "head", "epoch": 27, "epochs": 42, "validation_accuracy": 0.975, "validation_loss": 0.125}
    found = collect(kit.write_run(tmp_path / "run", kit.classification() | {"kept": kept}))
    assert "weights kept: epoch 27 of 42 in head (validation accuracy 0.975 loss 0.125)" in as_text(found)
    start = kit.GENERATOR | {"kept": {"phase": "fit", "epoch": 0, "epochs": 3}}
    assert "weights kept: the weights at the start of fit" in as_text(collect(kit.write_run(tmp_path / "start", start)))


@pytest.mark.parametrize(
    "wrong", [3, {"phase": 1, "epoch": 1, "epochs": 2}, {"phase": "fit", "epoch": "1", "epochs": 2}]
)
def test_an_epoch_that_won_must_be_one(kit, tmp_path, wrong):
    with pytest.raises(InputError, match="kept"):
        collect(kit.write_run(tmp_path / "run", kit.classification() | {"kept": wrong}))


@pytest.mark.parametrize(
    "wrong", [{"column": 3}, {"window": []}, {"value": [1.0]}, {"low": [1.0, "x"]}, {"low": [1.0, 2.0], "high": [1.0]}]
)
def test_a_stretch_of_a_series_must_be_one(kit, tmp_path, wrong):
    figures = kit.judged_forecast()
    folder = kit.write_run(tmp_path / "f", figures | {"stretch": figures["stretch"] | wrong})
    with pytest.raises(InputError, match="stretch"):
        collect(folder)


@pytest.mark.parametrize("make", ["nothing", "file", "empty"])
def test_what_is_neither_run_nor_bundle_is_refused(tmp_path, make):
    path = tmp_path / make
    if make == "file":
        path.write_text("x")
    elif make == "empty":
        path.mkdir()
    with pytest.raises(InputError, match=r"dltk (finetune|export)"):
        collect(path)


def test_an_unfinished_run_is_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "metrics.json").unlink()
    with pytest.raises(InputError, match="was not finished"):
        collect(copy)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"confusion": [[1, 2, 3], [1, 2], [1, 2, 3]]}, "confusion"),
        ({"confusion": [[1]]}, "confusion"),
        ({"roc": [[[0, 1, 2]], [], []]}, "roc"),
        ({"classes": [{"label": 3}]}, "classes"),
        ({"classes": [{}]}, "classes"),
        ({"classes": [dict.fromkeys(("precision", "recall", "f1", "auc", "samples"), 1)]}, "classes"),  # no label
        ({"macro": {"f1": 1.0}}, "macro"),
        ({"accuracy": "high"}, "accuracy"),
        ({"samples": True}, "samples"),
        ({"calibration": []}, "calibration"),
        ({"calibration": dict.fromkeys(CALIBRATION, 1.0) | {"reliability": [[1, 2]]}}, "calibration"),
        ({"top_k": {"2": [1]}}, "top_k"),
        ({"horizon": [{"step": 1}]}, "horizon"),
    ],
)
def test_figures_of_another_form_are_named(run, tmp_path, change, key):
    copy = shutil.copytree(run, tmp_path / "copy")
    found = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(found | change))
    with pytest.raises(InputError, match=rf"metrics\.json: {key}"):
        collect(copy)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "{"),
        ("metrics.json", "[]"),
        ("metrics.json", '{"samples": 1e999}'),
        ("data.json", '{"source": "\\ud800"}'),
        ("history.csv", "phase,epoch\nfit,1,2\n"),
        ("history.csv", "phase,epoch\nfit\n"),
        ("history.csv", "loss\n1\n"),
        ("history.csv", 'phase,epoch\n"fit,1\n'),
    ],
)
def test_broken_files_are_bad_input(run, tmp_path, name, content):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / name).write_text(content)
    with pytest.raises(InputError):
        collect(copy)


def test_a_history_that_is_no_text_is_bad_input(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "history.csv").write_bytes(b"phase,epoch\n\xff,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        collect(copy)


def test_a_changed_report_in_a_bundle_is_noticed(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    text = (copy / "report.json").read_text()
    (copy / "report.json").write_text(text.replace("0.9946", "0.9999"))
    with pytest.raises(InputError, match="SHA-256"):
        collect(copy)


@pytest.mark.parametrize("measured", [[], 3, {"steps": [1]}, {"agreement": "x"}, {"metrics": []}, {"reference": [1]}])
def test_measurements_of_another_kind_are_refused(kit, tmp_path, measured):
    with pytest.raises(InputError, match=r"report\.json.* must be "):
        collect(kit.write_bundle(tmp_path / "b", measured=measured))


def test_a_bundle_needs_no_measurements(kit, tmp_path):
    found = collect(kit.write_bundle(tmp_path / "b", measured={"reference": {"a": [[[[[1]]]]]}}))
    assert (found["agreement"], found["reference"], found["compression"]) == ({}, {}, None)


def test_no_text_can_steer_a_terminal(kit, tmp_path):
    labels = ("\x1b[2J", "\u202egnp", "b\nc")
    text = as_text(collect(kit.write_run(tmp_path / "run", kit.classification(labels))))
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x1b[2J" in text
    assert printable({"a\x00": ["\ud800"]}) == {"a\\x00": ["\\ud800"]}


def test_values_that_do_not_fit_are_none():
    assert [as_number(value) for value in (1, 2.5, True, "1", float("nan"), float("inf"), 10**400)] == [
        1,
        2.5,
        *[None] * 5,
    ]
    assert scalars({"a": {"b": {"c": 1}}, "d": [True, None]}, depth=2) == {"d.0": True, "d.1": None}
    assert scalars({"a": ["b", "c"], "d": []}) == {"a": "b, c"}


_LIGHT = """
import sys
from dltk.cli.main import cli
try:
    cli(["report", *sys.argv[1:]])
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("words", [[], ["--json"], ["--out", "report.txt"], ["--out", "report.json"]])
def test_text_and_json_load_nothing_heavy(run, bundle, tmp_path, words):
    for path in (run, bundle):
        program = [sys.executable, "-c", _LIGHT, str(path), *words]
        done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not {*BLOCKED, "scipy", "matplotlib", "jinja2", "rich"} & loaded


def test_json_is_what_was_collected(bundle):
    found = collect(bundle)
    assert json.loads(as_bytes(found, "json")) == found


def test_a_bundle_is_held_to_its_budget_and_the_advice_lifts_it(tmp_path):
    tiny.write_bundle(tmp_path / "b", {"model.float32.onnx": tiny.onnx()})
    done = small.invoke("report", tmp_path / "b", "--max-memory", "1KB")
    assert done.exit_code == 3
    (advice,) = re.findall(r"--max-memory (\w+)", done.stderr)
    assert small.invoke("report", tmp_path / "b", "--max-memory", advice).exit_code == 0
    done = small.invoke("report", tmp_path / "b", "--demo", "--max-memory", "1KB", "--out", tmp_path / "demo.html")
    assert done.exit_code == 3
    assert "--max-memory" in done.stderr
    assert not (tmp_path / "demo.html").exists()
