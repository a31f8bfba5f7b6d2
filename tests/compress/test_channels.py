"""Cutting channels makes a smaller plain model, as small as was asked for, and leaves what it was given alone."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers as L

import small
import zoo
from dltk.base.errors import InputError, StepOrderError
from dltk.base.progress import Silent
from dltk.compress.candidate import Candidate
from dltk.compress.channels import Channels, channels
from dltk.compress.norms import reestimate
from dltk.compress.pruning.choice import Choice, rounded_count
from dltk.compress.pruning.dependencies import dependency_graph
from dltk.compress.pruning.importance import by_batch_norm, by_magnitude, by_taylor, channel_macs
from dltk.compress.pruning.surgery import remaining_mac_share, remove_channels
from dltk.compress.retrain import as_fit
from dltk.compress.steps import parse_steps
from dltk.models.profile import profile
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.keras3 import rebuild
from dltk.twin.read import read

pytestmark = small.QUIET
SETTINGS = Channels(keep=0.5, epochs=1, batch_size=32, rank_samples=64, teacher=0.0)


@pytest.fixture(scope="module")
def given(trained, tmp_path_factory):
    bench = small.bench(trained.path, tmp_path_factory.mktemp("channels") / "step.npz")
    return bench, [weight.copy() for weight in bench.source.get_weights()]


@pytest.fixture(scope="module")
def outcome(given):
    return channels(Candidate(given[0].source), SETTINGS, given[0])


def test_the_model_is_smaller_as_told(given, outcome):
    model, figures = outcome.candidate.model, outcome.figures
    before, after = profile(given[0].source), profile(model)
    assert (figures["weights_before"], figures["macs_before"]) == (before.weights, before.macs)
    assert (figures["weights_after"], figures["macs_after"]) == (after.weights, after.macs)
    assert after.macs < 0.5 * before.macs
    groups = [row for row in figures["groups"] if "fixed" not in row]
    left, there = (sum(row[key] for row in groups) for key in ("after", "before"))
    assert 0.4 * there <= left <= 0.6 * there  # counts are rounded to multiples of 4
    for row in figures["groups"]:
        for name in row["layers"]:
            assert model.get_layer(name).get_weights()[0].shape[-1] == row["after"], name
    assert figures["groups"][-1] == {"layers": ["logits"], "before": 10, "after": 10, "fixed": "output of the model"}
    assert [row["epoch"] for row in figures["epochs"]] == [0, 1], "what was cut and measured anew competes, too"
    kept = figures["epochs"][figures["kept"]["epoch"]]
    assert kept["validation_accuracy"] == max(row["validation_accuracy"] for row in figures["epochs"])
    assert figures["validation"]["after"] == kept["validation_accuracy"]


def test_every_layer_is_changed_or_skipped_with_a_reason(given, outcome):
    reasons = {item.layer: item.reason for item in outcome.skipped}
    assert not {*outcome.changed} & {*reasons}
    names = {layer.name for layer in given[0].source.layers if not isinstance(layer, L.InputLayer)}
    assert {*outcome.changed, *reasons} == names
    assert "logits" in outcome.changed  # it reads fewer
    assert "no weights" in reasons.values()


def test_the_model_it_was_given_is_untouched(given, outcome):
    bench, before = given
    assert all(np.array_equal(a, b) for a, b in zip(before, bench.source.get_weights(), strict=True))
    assert outcome.candidate.model is not bench.source
    assert [tensor.name for tensor in outcome.candidate.model.inputs] == [item.name for item in bench.source.inputs]


def test_few_steps_are_warned_of(outcome):
    assert outcome.warnings[0].startswith("16 training steps are few to recover from removed channels")


def test_multiply_accumulates_come_down_to_a_share(given, tmp_path):
    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    done = channels(Candidate(bench.source), replace(SETTINGS, macs=0.6, rank="magnitude", multiple_of=1), bench)
    share = done.figures["macs_after"] / done.figures["macs_before"]
    assert 0.5 <= share <= 0.6  # one channel that the first stage shares is up to 0.07


def test_a_share_out_of_reach_is_refused_before_training(given, tmp_path):
    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    with pytest.raises(InputError, match=r"macs=: must be a share that can be reached; received 0\.01\. 0\.\d+ can be"):
        channels(Candidate(bench.source), replace(SETTINGS, macs=0.01, floor=0.5, rank="magnitude"), bench)
    assert not bench.checkpoint.exists()


def test_rounds_taken_up_again_are_equal_to_the_bit(given, tmp_path):
    class Stop(Silent):
        def bar(self, label, total):
            if label.startswith("channels 2 of 2 2/"):
                raise KeyboardInterrupt
            return super().bar(label, total)

    settings = replace(SETTINGS, iterations=2, epochs=2, samples=100, rank="bn")
    whole = channels(Candidate(given[0].source), settings, replace(given[0], checkpoint=tmp_path / "whole.npz"))
    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    with pytest.raises(KeyboardInterrupt):
        channels(Candidate(bench.source), settings, replace(bench, progress=Stop()))
    progress = Silent()
    again = channels(Candidate(bench.source), settings, replace(bench, resume=True, progress=progress))
    assert [text for text in progress.said if "resuming" in text] == [
        "channels 1 of 2: resuming after epoch 2 of 2",
        "channels 2 of 2: resuming after epoch 1 of 2",
    ]
    pairs = zip(whole.candidate.model.get_weights(), again.candidate.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert whole.figures["groups"] == again.figures["groups"]
    assert [row["phase"] for row in again.figures["epochs"]] == ["channels 1 of 2"] * 3 + ["channels 2 of 2"] * 3
    assert [path.name for path in tmp_path.glob("step*")] == ["step.npz"]


def test_where_nothing_may_go_nothing_is_trained(given, tmp_path):
    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    names = tuple(layer.name for layer in bench.source.layers if layer.name != "image")
    for settings in (replace(SETTINGS, keep=1.0, rank="bn"), replace(SETTINGS, keep_layers=names)):
        done = channels(Candidate(bench.source), settings, bench)
        assert done.candidate.model is bench.source
        assert (done.changed, done.warnings) == ((), ("no channel can be removed: the model is unchanged",))
    assert "kept by --step channels:keep_layers=" in {item.reason for item in done.skipped}
    assert not bench.checkpoint.exists()


def test_what_does_not_fit_is_refused(given):
    bench = given[0]
    with pytest.raises(StepOrderError, match="before quantize"):
        channels(Candidate(bench.source, QuantizationPlan("float16")), SETTINGS, bench)
    with pytest.raises(InputError, match="Did you mean 'logits'"):
        channels(Candidate(bench.source), replace(SETTINGS, keep_layers=("logit",)), bench)
    signature = replace(bench.signature, family="generator", task="generate")
    with pytest.raises(InputError, match="trains toward targets"):
        channels(Candidate(bench.source), SETTINGS, replace(bench, signature=signature))


@pytest.mark.parametrize("earlier", ["prune", "cluster", "quantize"])
def test_it_comes_before_what_it_would_undo(earlier):
    with pytest.raises(StepOrderError, match=f"--step channels: must come before {earlier}"):
        parse_steps([earlier, "channels"])
    assert [step.name for step in parse_steps(["channels:keep=0.5", earlier])] == ["channels", earlier]


@pytest.mark.parametrize(
    ("count", "size", "multiple", "rounded"),
    [(24, 32, 8, 24), (21, 32, 8, 24), (19, 32, 8, 16), (12, 16, 8, 12), (5, 8, 8, 6), (1, 8, 8, 2), (0, 3, 8, 1),
     (7.4, 10, 1, 7), (100, 32, 8, 32), (0, 64, 8, 8)],
)  # fmt: skip
def test_counts_suit_kernels_where_groups_are_large_enough(count, size, multiple, rounded):
    assert rounded_count(count, size, multiple) == rounded


def chain(widths=(16, 16)):
    image = keras.Input((8, 8, 3), name="image")
    x = image
    for number, width in enumerate(widths):
        x = L.Conv2D(width, 3, strides=number + 1, use_bias=False, name=f"conv{number}")(x)
        x = L.ReLU()(L.BatchNormalization(name=f"norm{number}")(x))
    x = L.Flatten()(L.Dense(8, name="wide")(x))
    return zoo.shake(keras.Model(image, L.Dense(zoo.CLASSES, name="logits")(x)))


def stays(choice, keep):
    return choice.kept(choice.counts(keep))


def test_the_choice_is_by_importance_with_a_floor():
    graph = read(chain())
    dependencies = dependency_graph(graph)
    first, second, third = (group.channel_ids for group in dependencies.groups[:3])
    scores = np.zeros(dependencies.count)
    scores[first], scores[second], scores[third] = np.arange(16) + 100, [1.0] * 12 + [30.0] * 4, np.arange(8)
    free = np.zeros(dependencies.count)
    kept = stays(Choice(dependencies, scores, free, "group", 0.25, 1), 0.5)
    assert np.array_equal(kept[first], [False] * 8 + [True] * 8)
    over_all = stays(Choice(dependencies, scores, free, "global", 0.25, 1), 0.5)
    assert np.array_equal(np.flatnonzero(over_all[second]), [12, 13, 14, 15])  # 12 of its channels are worth little
    assert over_all[first].sum() > 8
    nothing = stays(Choice(dependencies, scores, free, "global", 0.25, 1), 0.0)
    assert [int(nothing[channel_ids].sum()) for channel_ids in (first, second, third)] == [4, 4, 2]
    costly = free.copy()
    costly[first], costly[second], costly[third] = 100, 1, 1
    assert stays(Choice(dependencies, scores, costly, "global", 0.25, 1), 0.5)[first].sum() < over_all[first].sum()


@pytest.mark.parametrize("scope", ["global", "group"])
def test_a_budget_is_filled_up_as_far_as_rounding_allows(scope):
    graph = read(chain((32, 32)))
    dependencies = dependency_graph(graph)
    choice = Choice(dependencies, np.arange(dependencies.count) + 1.0, np.zeros(dependencies.count), scope, 0.1, 8)
    channel_ids = sum(len(group.channel_ids) for group in choice.groups)

    def share(kept):
        return 1 - (~kept).sum() / channel_ids

    for target in (0.5, 0.7, 0.9):
        counts = choice.within(target, lambda kept: share(kept))
        assert target - 8 / channel_ids < share(choice.kept(counts)) <= target
    assert choice.within(0.0, share) == choice.counts(0.0)


def test_multiply_accumulates_are_told_before_the_cut():
    graph = read(zoo.squeeze())
    dependencies = dependency_graph(graph)
    macs = {layer.name: layer.macs or 0 for layer in profile(rebuild(graph)).layers}
    choice = Choice(dependencies, np.arange(dependencies.count) + 1.0, np.zeros(dependencies.count), "group", 0.1, 1)
    kept = choice.kept(choice.counts(0.6))
    after = profile(rebuild(remove_channels(graph, dependencies, kept))).macs
    assert remaining_mac_share(graph, dependencies, macs)(kept) == pytest.approx(after / sum(macs.values()))


def test_costs_are_those_of_the_layers_around():
    model = chain()
    graph = read(model)
    dependencies = dependency_graph(graph)
    macs = {layer.name: layer.macs or 0 for layer in profile(model).layers}
    found = channel_macs(graph, dependencies, macs)
    first = dependencies.groups[0].channel_ids
    assert found[first] == pytest.approx(np.full(16, (macs["conv0"] + macs["conv1"]) / 16))


def test_filters_rank_by_size_and_by_gamma():
    model = chain()
    kernel = model.get_layer("conv0").get_weights()[0]
    graph = read(model)
    dependencies = dependency_graph(graph)
    first, wide = dependencies.groups[0].channel_ids, dependencies.groups[2].channel_ids
    assert by_magnitude(graph, dependencies)[first] == pytest.approx(
        np.sqrt(np.square(kernel).sum((0, 1, 2))), rel=1e-6
    )
    found = by_batch_norm(graph, dependencies)
    assert found[first] == pytest.approx(np.abs(model.get_layer("norm0").get_weights()[0]))
    assert np.array_equal(found[wide], by_magnitude(graph, dependencies)[wide])  # no batch norm behind it


def test_taylor_sees_what_a_gate_would_change(given):
    """Against the change of the loss when the gates of a channel move by a thousandth."""
    bench = given[0]
    graph = read(bench.source)
    dependencies = dependency_graph(graph)
    samples = replace(bench.dataset.train, rows=bench.dataset.train.rows[:4], targets=bench.dataset.train.targets[:4])
    found = by_taylor(graph, dependencies, samples, bench.signature, as_fit(SETTINGS))
    group = dependencies.groups[0]
    assert len(group.makers) > 1  # behind a residual addition: the gate has several places
    images = np.asarray(samples.take(slice(None)), np.float32)
    slopes = []
    for atom in group.channel_ids[:6]:
        more, less = (loss(gated(graph, dependencies, atom, 1 + step), bench, images, samples.targets)
                      for step in (1e-3, -1e-3))  # fmt: skip
        slopes.append((more - less).sum() / 2e-3)
    # The four samples are one batch: their slopes are summed before they are squared. 5% for relus that switch.
    assert found[group.channel_ids[:6]] == pytest.approx(np.square(slopes) / 4, rel=0.05, abs=1e-6)


def gated(graph, dependencies, atom, factor):
    """The model with one channel scaled wherever a layer reads it."""
    layers = dict(graph.layers)
    for call in graph.calls:
        layer = layers[call.layer]
        if layer.kind in ("Conv2D", "Dense"):
            kernel = layer.weights[0].copy()
            kernel[..., dependencies.channels[call.inputs[0]] == atom, :] *= factor
            layers[call.layer] = replace(layer, weights=(kernel, *layer.weights[1:]))
    return rebuild(replace(graph, layers=layers))


def loss(model, bench, images, targets):
    from dltk.training.features import model_inputs

    logits = np.asarray(model(model_inputs(model, images.astype(np.uint8), bench.signature)[0]), np.float64)
    logits -= logits.max(1, keepdims=True)
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(targets)), targets]


def test_reestimated_statistics_are_those_of_what_the_layers_see():
    model = chain()
    values = zoo.samples(model, 128)
    momenta = [layer.momentum for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    reestimate(model, values, seed=0)
    seen = np.asarray(keras.Model(model.input, model.get_layer("conv0").output)(values[0]))
    assert model.get_layer("norm0").get_weights()[2] == pytest.approx(seen.mean((0, 1, 2)), abs=1e-5)
    assert [layer.momentum for layer in model.layers if isinstance(layer, L.BatchNormalization)] == momenta


@pytest.mark.slow
def test_half_of_the_work_of_a_good_model_may_go(tmp_path):
    """In two rounds of 20 epochs of 20 steps; the 4 epochs of the defaults are meant for more samples."""
    from dltk.workflows import compress, finetune

    run = finetune(
        "cnn", data="digits", smoke=True, run=tmp_path / "run", set=["fit.epochs=12", "data.limit=0", "data.total=0"]
    )
    step = "channels:macs=0.5,iterations=2,epochs=20,learning_rate=0.01"
    made = compress(run.path, steps=(step, "quantize"), out=tmp_path / "smaller")
    before, after = (found.read_json("metrics")["accuracy"] for found in (run, made.run))
    assert before > 0.95
    assert after >= before - 0.02  # the gate of export
