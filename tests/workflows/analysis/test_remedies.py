"""What is advised after a file failed was tried, or follows from what was measured."""

from __future__ import annotations

import small
from dltk.report.schema import ArtifactRow, StateRow
from dltk.workflows.analysis import remedies

pytestmark = small.QUIET  # workflows load TensorFlow


def row(precision, passed=True, metric=None, **accepts):
    reasons = [f"{name} is missed" for name in accepts] if accepts else [] if passed else ["an operator is float"]
    return ArtifactRow(file=f"model.{precision}.tflite", precision=precision, passed=passed, reasons=tuple(reasons),
                       accepts=accepts, bytes=12_345, metric=metric)  # fmt: skip


def test_limits_are_those_that_every_file_meets():
    rows = [row("float32"), row("int8", False, cosine=0.98, drop=0.03), row("int8-io", False, cosine=0.97, drop=0.05)]
    assert remedies.gate_options(rows) == "--gate cosine=0.97 --gate drop=0.05"
    assert remedies.gate_options([*rows, row("dynamic", False)]) == ""  # no limit makes an operator integer
    assert remedies.passing_precisions_option(rows) == " --precision float32"
    assert remedies.passing_precisions_option([row("float32")]) == ""
    assert (
        remedies.passing_precisions_option([row("int8", False, cosine=0.9), row("int8")]) == ""
    )  # the other format failed


def test_range_methods_are_advised_only_as_calibration_measured_them():
    errors = {"min-max": 0.01, "mse": 0.02}
    told = remedies.ranges({"method": "min-max", "held_out_error": errors})
    assert told == "ranges=min-max came nearest to float32 when calibration compared it with mse"
    assert remedies.ranges({"method": "mse", "held_out_error": {"mse": 0.02}}) == ""
    assert remedies.ranges({"method": "native"}) == remedies.ranges(None) == ""


def metric(drop):
    return {"name": "accuracy", "value": 0.9 - drop, "reference": 0.9, "drop": drop, "is_share": True}


def test_a_step_costs_what_was_measured_between_two_states():
    found = [
        StateRow(after="source, float32", metric=metric(0.0)),
        StateRow(after="prune", metric=metric(0.03)),
        StateRow(after="quantize", metric=metric(0.02)),
        StateRow(after="float32, same extra epochs", metric=metric(-0.01)),
    ]
    assert remedies.metric_cost_by_step(found) == {"prune": "3 points"}
    assert remedies.metric_cost_by_step([StateRow(after="prune")]) == {}


def test_another_precision_is_advised_where_it_passed():
    (line,) = remedies.passed_precision_lines([row("float16", metric=metric(-0.028))])
    assert line == "--step quantize:precision=float16 was tried and passes: 12,345 bytes, +2.8 points"
    assert remedies.passed_precision_lines([row("float16", False, float16=0.1)]) == []
