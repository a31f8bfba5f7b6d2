"""The loop around a trainer, with a trainer of two numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import EnvironmentFault, InputError, LimitError
from dltk.base.progress import Silent
from dltk.models import backend
from dltk.training import checkpoint, harness, run, trainer_class
from dltk.training.log import end_line


class Counter:
    """Adds its batches up; loses its loss where it is told to."""

    name, epochs, steps = "count", 4, 3

    def __init__(self, lost_at=None, stop_after=99, **lost):
        self.total, self.finished, self.lost_at, self.stop_after = np.zeros(()), False, lost_at, stop_after
        self.lost = lost  # figure or weight -> the epoch, from 0, after which it is not finite

    def batches(self, epoch):
        return [(epoch, step) for step in range(self.steps)]

    def step(self, batch):
        self.total = self.total + 1
        accuracy = np.inf if batch == (self.lost.get("accuracy"), 2) else 1.0
        return {"loss": np.nan if batch == self.lost_at else 1.0 / self.total, "accuracy": accuracy}

    def evaluate(self, epoch):
        if self.lost.get("unjudged"):
            return {}
        lost = epoch == self.lost.get("validation_loss", 99)
        return {"validation_loss": np.nan if lost else float(self.total), "validation_accuracy": 0.5}

    def done(self, history):
        return sum(row["epoch"] > 0 for row in history) >= self.stop_after

    def state(self):
        lost = self.total == 3 * (self.lost.get("model", 99) + 1)
        mask = np.array([0.0, -np.inf])  # some models hold such a constant
        return {"total": np.array(self.total), "model/0000": np.array(np.nan if lost else 1.0), "model/0001": mask}

    def restore(self, state):
        self.total = state["total"]

    def finish(self):
        self.finished = True

    def explain(self, epoch, step):
        return "Likely cause: the test wants it."


def test_history_has_a_row_an_epoch(tmp_path):
    trainer = Counter()
    history = run(trainer, checkpoint=tmp_path / "c.npz")
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4], "the weights at the start are judged, too"
    assert "loss" not in history[0]
    assert history[0]["validation_loss"] == 0
    assert history[2]["loss"] == pytest.approx(np.mean([1 / 4, 1 / 5, 1 / 6]))  # a mean of three float64
    assert history[4]["validation_loss"] == 12
    assert trainer.finished
    assert len(checkpoint.read(tmp_path / "c.npz").history) == 5


def test_nan_stops_and_keeps_the_last_good_epoch(tmp_path):
    trainer = Counter(lost_at=(2, 1))
    with pytest.raises(LimitError) as caught:
        run(trainer, checkpoint=tmp_path / "c.npz")
    text = str(caught.value)
    assert "phase count, epoch 3, step 2: the loss must stay finite; received nan" in text
    assert "Likely cause: the test wants it." in text
    assert "after epoch 2 are kept" in text
    assert caught.value.exit_code == 4
    assert len(caught.value.measured) == 3
    kept = checkpoint.read(tmp_path / "c.npz")
    assert len(kept.history) == 3
    assert kept.state["total"] == 6
    assert not trainer.finished


@pytest.mark.parametrize(
    ("lost", "said", "epochs"),
    [
        ({"validation_loss": 2}, "phase count, after epoch 3: validation_loss must be finite; received nan", 2),
        ({"validation_loss": -1}, "phase count, before the first epoch: validation_loss must be finite", 0),
        ({"accuracy": 1}, "phase count, epoch 2, step 3: the accuracy must stay finite; received inf", 1),
        ({"model": 2, "unjudged": True}, "phase count, after epoch 3: the weights must stay finite", 2),
    ],
)
def test_no_figure_may_be_lost_and_the_run_stays_resumable(tmp_path, lost, said, epochs):
    with pytest.raises(LimitError) as caught:
        run(Counter(**lost), checkpoint=tmp_path / "c.npz")
    assert said in str(caught.value)
    assert (f"after epoch {epochs} are kept" in str(caught.value)) == (epochs > 0)
    kept = checkpoint.read(tmp_path / "c.npz")
    assert (kept.state["total"] if kept else 0) == 3 * epochs
    sound = {"unjudged": True} if "unjudged" in lost else {}
    history = run(Counter(**sound), checkpoint=tmp_path / "c.npz", resume=True)
    assert history[-1]["epoch"] == 4


def test_every_epoch_is_a_line_with_validation_figures_and_the_time_left(tmp_path):
    progress = Silent()
    trainer = Counter(stop_after=2)
    trainer.kept = 1
    run(trainer, checkpoint=tmp_path / "c.npz", progress=progress)
    start, first, second, end = progress.said
    assert start == "count start: validation loss 0 accuracy 0.5"
    assert first == "count 1/4: loss 0.611 accuracy 1 | validation 3 0.5 | at most 1 s left in count"
    assert second.startswith("count 2/4: loss 0.206 accuracy 1 | validation 6 0.5")
    assert end == "count: stopped early at 2 of 4, best epoch 1"
    trainer, progress = Counter(), Silent()
    trainer.kept = 0
    run(trainer, checkpoint=tmp_path / "c.npz", progress=progress)
    assert progress.said[-1] == "count: 4 epochs, none better than the weights at the start, which are kept"
    assert "left" not in progress.said[-2]
    assert end_line("tune", 1, 1, None) == "tune: 1 epoch"


def test_resume_goes_on_where_it_stopped(tmp_path):
    run(Counter(stop_after=2), checkpoint=tmp_path / "c.npz")
    trainer = Counter()
    history = run(trainer, checkpoint=tmp_path / "c.npz", resume=True)
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4]
    assert trainer.total == 12
    assert run(Counter(), checkpoint=tmp_path / "none.npz", resume=True)[0]["epoch"] == 0


def test_an_interrupt_keeps_what_was_not_yet_written(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "_WRITE_SHARE", 1e-9)  # after the first, no checkpoint is due

    class Interrupted(Counter):
        def step(self, batch):
            if batch == (3, 0):
                raise KeyboardInterrupt
            return super().step(batch)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), checkpoint=tmp_path / "c.npz")
    assert checkpoint.read(tmp_path / "c.npz").history[-1]["epoch"] == 3


def test_trainers_are_found_by_name():
    assert trainer_class("fit").__module__ == "dltk.training.trainers.fit"
    assert trainer_class("gan").__module__ == "dltk.training.trainers.gan"
    with pytest.raises(InputError, match="Did you mean 'gan'"):
        trainer_class("gann")


def test_another_keras_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(EnvironmentFault, match="must be tensorflow; received jax") as caught:
        backend.require_tensorflow()
    assert caught.value.exit_code == 5
