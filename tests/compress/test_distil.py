"""A student takes the model's place: it learns from its teacher, which is asked once, and stays the teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small
from dltk.base.errors import InputError, StepOrderError
from dltk.base.progress import Silent
from dltk.compress.candidate import Candidate
from dltk.compress.distil import Distil, distil
from dltk.compress.prune import Prune, prune
from dltk.quantization.plan import QuantizationPlan
from dltk.run import Run

pytestmark = small.QUIET
SETTINGS = Distil(student="recipe:cnn;model.filters=8|8", epochs=3, batch_size=32, learning_rate=0.01)


class Bars(Silent):
    """Remembers what was shown; interrupts where a bar with the label `stop` would begin."""

    def __init__(self, stop="no such bar"):
        super().__init__()
        self.labels, self.stop = [], stop

    def bar(self, label, total):
        if label.startswith(self.stop):
            raise KeyboardInterrupt
        self.labels.append(label)
        return super().bar(label, total)


@pytest.fixture(scope="module")
def given(trained, tmp_path_factory):
    bench = small.bench(trained.path, tmp_path_factory.mktemp("distil") / "step.npz", progress=Bars())
    return bench, [weight.copy() for weight in bench.source.get_weights()]


@pytest.fixture(scope="module")
def outcome(given):
    return distil(Candidate(given[0].source), SETTINGS, given[0])


def without_times(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_the_student_learns_what_the_teacher_answers(given, outcome):
    from dltk.training.evaluation.report import predict_outputs

    bench, model = given[0], outcome.candidate.model
    history = outcome.figures["epochs"]
    assert history[-1]["loss"] < history[1]["loss"]
    student, teacher = (predict_outputs(m, bench.dataset.test, bench.signature) for m in (model, bench.source))
    assert (student.argmax(1) == teacher.argmax(1)).mean() > 0.3, "three epochs; 0.1 is chance"


def test_every_layer_is_told_and_the_saving_too(given, outcome):
    names = {*outcome.changed, *(item.layer for item in outcome.skipped)}
    assert names == {layer.name for layer in outcome.candidate.model.layers} - {"image"}
    before, after = (model.count_params() for model in (given[0].source, outcome.candidate.model))
    assert (outcome.figures["weights_before"], outcome.figures["weights_after"]) == (before, after)
    assert outcome.figures["weights_after_over_before"] == after / before < 1
    small.check_worth(outcome, given[0])


def test_the_teacher_is_as_it_was(given, outcome):
    bench, before = given
    assert all(np.array_equal(a, b) for a, b in zip(before, bench.source.get_weights(), strict=True))


def test_the_teacher_is_asked_once_and_by_later_steps_not_again(given, outcome, tmp_path):
    """The cache of the test session may hold its answers already, but never does a later step ask."""
    pruning = Prune(sparsity=0.4, epochs=1, batch_size=100, teacher=0.5, smallest=100)
    bars = Bars()
    done = prune(outcome.candidate, pruning, replace(given[0], checkpoint=tmp_path / "step.npz", progress=bars))
    assert done.changed
    assert "teacher" not in bars.labels
    assert any(label.startswith("prune") for label in bars.labels)


def test_a_fresh_cache_holds_one_pass_a_view_and_none_without_a_teacher(given, tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    asked = []
    for share in (0.0, 0.9, 0.5):
        bars = Bars()
        bench = replace(given[0], checkpoint=tmp_path / f"{share}.npz", progress=bars)
        settings = replace(SETTINGS, student="first:re_lu", epochs=2, batch_size=250, teacher=share)
        distil(Candidate(bench.source), settings, bench)
        asked.append(bars.labels.count("teacher"))
    assert asked == [0, 1, 0], "plain views are one view: one pass, whatever the epochs; then it is cached"


def test_a_step_taken_up_again_is_equal_to_the_bit(given, tmp_path):
    settings = replace(SETTINGS, features=("re_lu_2:re_lu_2",), student="recipe:cnn;model.filters=4|8", batch_size=100)
    whole = distil(Candidate(given[0].source), settings, replace(given[0], checkpoint=tmp_path / "whole.npz"))
    bench = replace(given[0], checkpoint=tmp_path / "part.npz")
    with pytest.raises(KeyboardInterrupt):
        distil(Candidate(bench.source), settings, replace(bench, progress=Bars(stop="distil 3/")))
    progress = Bars()
    again = distil(Candidate(bench.source), settings, replace(bench, resume=True, progress=progress))
    assert any("resuming after epoch 2 of 3" in text for text in progress.said)
    pairs = zip(whole.candidate.model.get_weights(), again.candidate.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert without_times(again.figures["epochs"]) == without_times(whole.figures["epochs"])
    rows = whole.figures["epochs"]
    assert rows[-1]["features"] < rows[1]["features"]
    assert not [layer.name for layer in whole.candidate.model.layers if "bridge" in layer.name]


def test_a_teacher_with_its_softmax_inside_is_followed_too(given, tmp_path):
    """Its logits are the logarithms of its answers: the same student learns from them as from the logits, nearly."""
    import keras

    bench = given[0]
    answers = keras.layers.Softmax(name="probabilities")(bench.source.output)
    inside = replace(
        bench,
        source=keras.Model(bench.source.inputs[0], answers),
        signature=bench.signature.with_postprocess({"op": "identity"}),
        checkpoint=tmp_path / "step.npz",
    )
    settings = replace(SETTINGS, epochs=1, batch_size=100, teacher=1.0)
    rows = [
        distil(Candidate(one.source), settings, one).figures["epochs"][1]
        for one in (replace(bench, checkpoint=tmp_path / "other.npz"), inside)
    ]
    # What lies under 1e-7 of a softmax is lost, on both sides: 0.003 was seen.
    assert rows[1]["loss"] == pytest.approx(rows[0]["loss"], rel=0.01)


def test_frozen_layers_of_the_teacher_learn_in_the_student(given, tmp_path):
    import keras

    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    frozen = keras.models.clone_model(bench.source)
    frozen.set_weights(bench.source.get_weights())
    frozen.trainable = False
    made = distil(Candidate(frozen), replace(SETTINGS, student="first:re_lu_2", epochs=1, batch_size=250), bench)
    before, after = (model.get_layer("conv2d").get_weights()[0] for model in (frozen, made.candidate.model))
    assert not np.array_equal(before, after)


def test_a_student_that_is_no_smaller_is_warned_of(given, tmp_path):
    bench = replace(given[0], checkpoint=tmp_path / "step.npz")
    made = distil(Candidate(bench.source), replace(SETTINGS, student="first:pool", epochs=1, batch_size=250), bench)
    assert "it is no smaller" in made.warnings[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": ""}, "needs a student. Give student=TEXT: first:LAYER"),
        ({"features": ("re_lu_2",)}, "must be TEACHER_LAYER:STUDENT_LAYER; received re_lu_2"),
        ({"features": ("re_lo_2:re_lu_2",)}, "teacher: names no layer; received re_lo_2. Did you mean 're_lu_2'"),
        ({"features": ("re_lu_2:re_lo_2",)}, "student: names no layer"),
        ({"features": ("re_lu_2:re_lu_4",)}, r"features re_lu_2:re_lu_4: both layers must have features of one shape"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(given, tmp_path, changes, message):
    bars = Bars()
    bench = replace(given[0], checkpoint=tmp_path / "step.npz", progress=bars)
    with pytest.raises(InputError, match=message):
        distil(Candidate(bench.source), replace(SETTINGS, **changes), bench)
    assert bars.labels == []
    assert not bench.checkpoint.exists()


def test_order_and_task_are_checked(given):
    bench = given[0]
    with pytest.raises(StepOrderError, match="before quantize"):
        distil(Candidate(bench.source, QuantizationPlan("float16")), SETTINGS, bench)
    signature = replace(bench.signature, family="generator", task="generate")
    with pytest.raises(InputError, match="trains toward targets"):
        distil(Candidate(bench.source), SETTINGS, replace(bench, signature=signature))


@pytest.mark.slow
def test_a_distilled_run_is_judged_against_its_source(trained, tmp_path):
    """The file is held to the student's own outputs; the drop is counted from the source run's."""
    from dltk.edge.bundle.arrays import read_npz
    from dltk.models.files.keras_file import open_keras
    from dltk.workflows.measure import reference_outputs

    made = small.make(
        tmp_path / "run", "compress", trained.path, "--run", tmp_path / "run",
        "--step", "distil:student=width:0.5,epochs=1,batch_size=100",
        "--step", "quantize",
    )  # fmt: skip
    source, run = Run.open(trained.path), Run.open(made.path)
    raws, targets = run.evaluation()
    outputs = [reference_outputs(open_keras(one.model_path), raws, run.signature)["logits"] for one in (source, run)]
    np.testing.assert_array_equal(read_npz(run.baseline_path, {"logits"})["logits"], outputs[0])
    assert not np.array_equal(*outputs)
    right = [float((found.argmax(1) == targets).mean()) for found in outputs]
    first = run.read_json("report")["artifacts"][0]
    assert first["metric"]["reference"] == pytest.approx(right[0])
    assert first["metric"]["value"] == pytest.approx(right[1])
    assert first["metric"]["drop"] == pytest.approx(right[0] - right[1])
    assert first["parity"]["error"] <= first["parity"]["limit"], "float32 parity is with the student, not the source"
    assert run.read_json("metrics")["accuracy"] == pytest.approx(right[1])
    assert run.signature.preprocess == source.signature.preprocess


@pytest.mark.slow
def test_a_forecast_is_distilled_by_its_values(tmp_path):
    folder = tmp_path / "forecast"
    run = small.make(folder, "finetune", "forecast", "--run", folder, "--smoke", "--set", "fit.epochs=1")
    bench = small.bench(run.path, tmp_path / "step.npz")
    settings = Distil(epochs=1, batch_size=256, samples=512)
    first = next(f"first:{layer.name}" for layer in bench.source.layers if layer.name.startswith("lstm"))
    for student in ("recipe:forecast;model.units=4", first):
        progress = Bars()
        made = distil(
            Candidate(bench.source), replace(settings, student=student), replace(bench, progress=progress)
        ).candidate.model
        assert tuple(made.outputs[0].shape) == tuple(bench.source.outputs[0].shape)
        assert made.inputs[0].name == "series"
        assert progress.labels.count("teacher") == (student != first), "the second asks the cache"
        assert "rescale" not in {layer.name for layer in made.layers}, "both are standardized alike"
