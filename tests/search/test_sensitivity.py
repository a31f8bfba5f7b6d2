"""The effect of a layer is what the simulation says when that layer alone is rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small
from dltk.compress.candidate import Candidate
from dltk.compress.quantize import Quantize, quantize
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.fake_quant import rounded, rounding_hook
from dltk.quantization.observers import observe_tensors
from dltk.search.sensitivity import sensitivity
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

pytestmark = small.QUIET
COUNT = 60


@pytest.fixture(scope="module")
def case(trained, tmp_path_factory):
    """A deployed graph, its int8 plan, and validation samples."""
    bench = small.bench(trained.path, tmp_path_factory.mktemp("sensitivity") / "step.npz")
    plan = quantize(Candidate(bench.source), Quantize(), bench).candidate.plan
    graph = with_corrections(deployed_graph(read(bench.source)), plan)
    from dltk.edge.families import family

    raws = bench.dataset.validation.take(slice(0, COUNT))
    made = family(bench.signature.family).tensors(raws, bench.signature)
    return graph, plan, {graph.inputs[0].name: made[bench.signature.inputs[0].name]}, bench


@pytest.fixture(scope="module")
def effects(case):
    graph, plan, tensors, bench = case
    targets = bench.dataset.validation.targets[:COUNT]
    return sensitivity(graph, plan, tensors, score=lambda out: float((out[0].argmax(-1) == targets).mean()))


def answers(graph, tensors, hook=None):
    return np.concatenate([batch[0] for batch in observe_tensors(graph, graph.outputs, tensors, list, hook=hook)])


def test_every_layer_with_int8_weights_is_there_and_the_worst_comes_first(case, effects):
    _, plan, _, _ = case
    assert {effect.layer for effect in effects} == set(plan.weights)
    ratios = [effect.signal_to_noise for effect in effects]
    assert ratios == sorted(ratios)
    assert all(5 < ratio < 100 for ratio in ratios)  # 8 bits hold about 50 dB; nothing here is useless or exact
    assert all(-1 <= effect.drop <= 1 for effect in effects)
    assert all(effect.weights > 0 for effect in effects)


def test_it_is_what_rounding_that_layer_alone_does(case, effects):
    graph, plan, tensors, _ = case
    float_answers = answers(graph, tensors)
    for effect in (effects[0], effects[-1]):
        name = effect.layer
        made = {output for call in graph.calls if call.layer == name for output in call.outputs}
        behind = {output for call in graph.calls if set(call.inputs) & made and not made & set(plan.tensors)
                  for output in call.outputs}  # fmt: skip
        grids = {tensor: grid for tensor, grid in plan.tensors.items() if tensor in made | behind}
        assert len(grids) == 1, name
        layers = dict(graph.layers) | {name: rounded(graph.layers[name], plan.weights[name])}
        noisy = answers(replace(graph, layers=layers), tensors, rounding_hook(grids))
        wanted = 10 * np.log10(np.square(float_answers).sum() / np.square(float_answers - noisy).sum())
        # Both are float32 all through, in batches of different sizes.
        assert effect.signal_to_noise == pytest.approx(wanted, abs=0.05), name


def test_without_a_score_there_is_no_drop(case, effects):
    graph, plan, tensors, _ = case
    found = sensitivity(graph, plan, tensors)
    assert [effect.layer for effect in found] == [effect.layer for effect in effects]
    assert all(effect.drop is None for effect in found)
