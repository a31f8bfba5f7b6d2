"""Clustering leaves each kernel the few values it was asked for, on the int8 grid, and zeros stay zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small
from dltk.base.errors import InputError, StepOrderError
from dltk.base.progress import Silent
from dltk.compress.candidate import Candidate
from dltk.compress.cluster import Cluster, cluster
from dltk.compress.qat.codebook import find_codebook, histogram
from dltk.compress.quantize import Quantize, quantize
from dltk.quantization.codes import distinct_codes, int8_codes, is_clustered, sparsity
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Layer

pytestmark = small.QUIET
SETTINGS = Cluster(clusters=8, epochs=2, batch_size=32, teacher=0.0)


@pytest.fixture(scope="module")
def bench(trained, tmp_path_factory):
    return small.bench(trained.path, tmp_path_factory.mktemp("cluster") / "step.npz")


@pytest.fixture(scope="module")
def outcome(bench):
    return cluster(Candidate(bench.source), SETTINGS, bench)


def layers_of(model):
    from dltk.twin.read import read

    return read(model).layers


def kernel(layer):
    return np.asarray(layer.weights[0])


def test_each_changed_kernel_takes_no_more_values_than_asked_for(outcome):
    found = layers_of(outcome.candidate.model)
    assert outcome.changed
    for name in outcome.changed:
        assert int8_codes(found[name]) is not None, f"{name}: int8 would have to round it"
        assert distinct_codes(found[name]) <= SETTINGS.clusters
        assert outcome.figures["clusters"][name] == distinct_codes(found[name])


def test_every_layer_is_changed_or_skipped_with_a_reason(outcome):
    reasons = {item.layer: item.reason for item in outcome.skipped}
    assert not {*outcome.changed} & {*reasons}
    assert reasons["logits"] == "fewer than 1000 weights"
    assert "no kernel" in reasons.values()


def test_the_model_it_was_given_is_untouched(trained, bench, outcome):
    from dltk.models.files.keras_file import open_keras

    fresh = open_keras(trained.path / "model.keras").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(fresh, bench.source.get_weights(), strict=True))
    assert outcome.candidate.model is not bench.source


def test_zeros_that_pruning_left_stay_zeros(bench, tmp_path):
    import keras

    sparse = keras.models.clone_model(bench.source)
    sparse.set_weights(bench.source.get_weights())
    convolution = next(layer for layer in sparse.layers if layer.weights and np.size(layer.get_weights()[0]) > 1000)
    values = convolution.get_weights()
    values[0] = np.where(np.abs(values[0]) < np.median(np.abs(values[0])), 0, values[0])
    convolution.set_weights(values)
    own = replace(bench, checkpoint=tmp_path / "step.npz")
    made = cluster(Candidate(sparse), replace(SETTINGS, epochs=1), own)
    assert convolution.name in made.changed
    after = layers_of(made.candidate.model)[convolution.name]
    assert (kernel(after)[values[0] == 0] == 0).all()
    assert sparsity(after) >= 0.5


def test_int8_keeps_the_values_shared(bench, outcome):
    """The download shrinks only if the bytes in the file are few different ones."""
    from dltk.export.emit import Target, emit
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    made = quantize(outcome.candidate, Quantize(calibration=50), bench)
    graph = deployed_graph(read(made.candidate.model))
    data = emit(graph, bench.signature, Target("tflite", "int8"), made.candidate.plan)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    shapes = {tuple(np.moveaxis(kernel(graph.layers[name]), -1, 0).shape): name for name in outcome.changed}
    seen = 0
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] == np.int8 and tuple(detail["shape"]) in shapes:
            values = interpreter.get_tensor(detail["index"])
            seen += 1
            assert len(np.unique(values)) <= SETTINGS.clusters
    assert seen >= len(shapes)


def test_a_step_taken_up_again_is_equal_to_the_bit(bench, outcome, tmp_path):
    class Stop(Silent):
        def bar(self, label, total):
            if label.startswith("cluster 2/"):
                raise KeyboardInterrupt
            return super().bar(label, total)

    own = replace(bench, checkpoint=tmp_path / "step.npz")
    with pytest.raises(KeyboardInterrupt):
        cluster(Candidate(own.source), SETTINGS, replace(own, progress=Stop()))
    resumed = cluster(Candidate(own.source), SETTINGS, replace(own, resume=True))
    pairs = zip(resumed.candidate.model.get_weights(), outcome.candidate.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_what_cannot_be_clustered_is_refused_before_any_work(bench):
    with pytest.raises(StepOrderError):
        cluster(Candidate(bench.source, QuantizationPlan("float16")), SETTINGS, bench)
    with pytest.raises(InputError, match="names no layer"):
        cluster(Candidate(bench.source), replace(SETTINGS, keep=("convolution",)), bench)


@pytest.mark.parametrize("start", ["kmeans++", "linear"])
def test_a_codebook_finds_values_that_are_there(start):
    """Five values far apart, in unequal numbers: k-means from either start must find each to within a step."""
    rng = np.random.default_rng(0)
    values = np.array([-1.0, -0.4, 0.0, 0.3, 0.6, 1.0])
    weights = rng.choice(values, size=(3, 3, 16, 32), p=[0.05, 0.3, 0.2, 0.3, 0.1, 0.05]) * 0.02
    weights[0, 0, 0], weights[0, 0, 1] = 0.02, -0.02  # every channel reaches both ends
    layer = Layer("conv", "Conv2D", {}, (weights.astype(np.float32),))
    found = find_codebook(layer, 6, start=start, seed=0)
    assert found.shape == (3,)
    assert np.abs(found - np.array([-0.4, 0.3, 0.6]) * 127).max() < 1
    assert histogram(layer)[127] == 0, "zeros have a value of their own"


def test_an_ordinary_kernel_is_not_taken_for_a_clustered_one():
    rng = np.random.default_rng(0)
    layer = Layer("conv", "Conv2D", {}, (rng.normal(size=(3, 3, 16, 32)).astype(np.float32),))
    assert not is_clustered(layer)
