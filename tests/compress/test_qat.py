"""Quantization-aware training: the file computes what was trained, and zeros and shared values are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.compress.candidate import Candidate
from dltk.compress.cluster import Cluster, cluster
from dltk.compress.quantize import Quantize, quantize
from dltk.quantization.codes import distinct_codes, int8_codes

pytestmark = small.QUIET
SETTINGS = Quantize(method="qat", epochs=2, batch_size=32, calibration=50, learning_rate=1e-3)


@pytest.fixture(scope="module")
def bench(trained, tmp_path_factory):
    return small.bench(trained.path, tmp_path_factory.mktemp("qat") / "step.npz")


@pytest.fixture(scope="module")
def outcome(bench):
    return quantize(Candidate(bench.source), SETTINGS, bench)


def graph_of(model):
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    return deployed_graph(read(model))


def test_weights_lie_on_the_int8_grid_and_the_plan_fits_the_model(outcome):
    graph, plan = graph_of(outcome.candidate.model), outcome.candidate.plan
    assert plan.ranges == "shared"
    assert {*plan.weights} <= {*graph.layers}
    assert {*plan.tensors} <= {*graph.shapes}
    for name in plan.weights:
        assert int8_codes(graph.layers[name]) is not None, name
    assert not plan.factors
    assert not plan.shifts


def test_ranges_were_learnt(bench, outcome):
    """Training starts from the calibrated ranges and moves them, a little."""
    calibrated = quantize(Candidate(outcome.candidate.model), Quantize(calibration=50, repair=False), bench)
    ours, theirs = outcome.candidate.plan.tensors, calibrated.candidate.plan.tensors
    assert ours.keys() == theirs.keys()
    assert any(ours[name] != theirs[name] for name in ours)
    for name in ours:
        assert ours[name].scale < 4 * theirs[name].scale, name


def test_the_files_compute_what_was_trained(bench, outcome):
    """Both files against the simulation on the same grids: rounding in another order moves an output by a few steps."""
    from dltk.edge.families import family
    from dltk.export.emit import Target, emit
    from dltk.quantization.fake_quant import rounding_hook
    from dltk.twin.build import build
    from dltk.validate import run_worker

    graph, plan = graph_of(outcome.candidate.model), outcome.candidate.plan
    raws = bench.dataset.validation.take(slice(0, 40))
    tensors = family(bench.signature.family).tensors(raws, bench.signature)
    (name,) = [spec.name for spec in bench.signature.outputs]
    twin = build(graph, hook=rounding_hook(plan.tensors))
    simulated = np.asarray(twin([tensors[spec.name] for spec in bench.signature.inputs], training=False))
    step = plan.tensors[graph.outputs[0]].scale
    for kind in ("tflite", "onnx"):
        data = emit(graph, bench.signature, Target(kind, "int8"), plan)
        found = run_worker(data, kind, bench.signature, raws, time=False).outputs[name]
        assert np.abs(found - simulated).max() <= 4 * step, kind


def test_a_step_taken_up_again_is_equal_to_the_bit(bench, outcome, tmp_path):
    class Stop(Silent):
        def bar(self, label, total):
            if label.startswith("qat 2/"):
                raise KeyboardInterrupt
            return super().bar(label, total)

    own = replace(bench, checkpoint=tmp_path / "step.npz")
    with pytest.raises(KeyboardInterrupt):
        quantize(Candidate(own.source), SETTINGS, replace(own, progress=Stop()))
    resumed = quantize(Candidate(own.source), SETTINGS, replace(own, resume=True)).candidate
    pairs = zip(resumed.model.get_weights(), outcome.candidate.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert resumed.plan.tensors == outcome.candidate.plan.tensors


def test_training_that_harms_leaves_what_calibration_gave(bench, tmp_path):
    """On its grids the model is int8 before the first epoch: that is epoch 0."""
    own = replace(bench, checkpoint=tmp_path / "step.npz")
    made = quantize(Candidate(own.source), replace(SETTINGS, epochs=1, learning_rate=0.5), own)
    start, after = made.figures["epochs"]
    assert made.figures["kept"]["epoch"] == 0
    assert after["validation_accuracy"] < start["validation_accuracy"] == made.figures["validation"]["after"]
    small.check_worth(made, own)


def test_shared_values_stay_shared(bench, tmp_path):
    own = replace(bench, checkpoint=tmp_path / "step.npz")
    before = cluster(Candidate(bench.source), Cluster(clusters=8, epochs=1, teacher=0.0), own)
    own.checkpoint.unlink()
    after = quantize(before.candidate, replace(SETTINGS, epochs=1), own)
    layers = graph_of(after.candidate.model).layers
    for name in before.changed:
        assert distinct_codes(layers[name]) <= 8, name


def test_what_does_not_fit_is_refused_before_any_work(bench):
    with pytest.raises(InputError, match="int8 grids"):
        quantize(Candidate(bench.source), replace(SETTINGS, precision="float16"), bench)
