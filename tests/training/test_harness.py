"""The loop around a trainer, with a trainer of two numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import EnvironmentFault, InputError, LimitError
from dltk.training import backend, checkpoint, harness, run, trainers


class Counter:
    """Adds its batches up; loses its loss where it is told to."""

    name, epochs, steps = "count", 4, 3

    def __init__(self, lost_at=None, stop_after=99):
        self.total, self.finished, self.lost_at, self.stop_after = np.zeros(()), False, lost_at, stop_after

    def batches(self, epoch):
        return [(epoch, step) for step in range(self.steps)]

    def step(self, batch):
        self.total = self.total + 1
        return {"loss": np.nan if batch == self.lost_at else 1.0 / self.total}

    def evaluate(self, epoch):
        return {"validation_loss": float(self.total)}

    def done(self, history):
        return len(history) >= self.stop_after

    def state(self):
        return {"total": np.array(self.total)}

    def restore(self, state):
        self.total = state["total"]

    def finish(self):
        self.finished = True

    def explain(self, epoch, step):
        return "Likely cause: the test wants it."


def test_history_has_a_row_an_epoch(tmp_path):
    trainer = Counter()
    history = run(trainer, checkpoint=tmp_path / "c.npz")
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[1]["loss"] == pytest.approx(np.mean([1 / 4, 1 / 5, 1 / 6]))  # a mean of three float64
    assert history[3]["validation_loss"] == 12
    assert trainer.finished
    assert len(checkpoint.read(tmp_path / "c.npz").history) == 4


def test_nan_stops_and_keeps_the_last_good_epoch(tmp_path):
    trainer = Counter(lost_at=(2, 1))
    with pytest.raises(LimitError) as caught:
        run(trainer, checkpoint=tmp_path / "c.npz")
    text = str(caught.value)
    assert "phase count, epoch 3, step 2: the loss must stay finite; received nan" in text
    assert "Likely cause: the test wants it." in text
    assert "after epoch 2 are kept" in text
    assert caught.value.exit_code == 4
    assert len(caught.value.measured) == 2
    kept = checkpoint.read(tmp_path / "c.npz")
    assert len(kept.history) == 2
    assert kept.state["total"] == 6
    assert not trainer.finished


def test_resume_goes_on_where_it_stopped(tmp_path):
    run(Counter(stop_after=2), checkpoint=tmp_path / "c.npz")
    trainer = Counter()
    history = run(trainer, checkpoint=tmp_path / "c.npz", resume=True)
    assert len(history) == 4
    assert trainer.total == 12
    assert run(Counter(), checkpoint=tmp_path / "none.npz", resume=True)[0]["epoch"] == 1


def test_an_interrupt_keeps_what_was_not_yet_written(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "_WRITE_SHARE", 1e-9)  # after the first, no checkpoint is due

    class Interrupted(Counter):
        def step(self, batch):
            if batch == (3, 0):
                raise KeyboardInterrupt
            return super().step(batch)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), checkpoint=tmp_path / "c.npz")
    assert len(checkpoint.read(tmp_path / "c.npz").history) == 3


def test_trainers_are_found_by_name():
    assert trainers("fit").__module__ == "dltk.training.fit"
    assert trainers("gan").__module__ == "dltk.training.gan"
    with pytest.raises(InputError, match="Did you mean 'gan'"):
        trainers("gann")


def test_another_keras_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(EnvironmentFault, match="must be tensorflow; received jax") as caught:
        backend.require_tensorflow()
    assert caught.value.exit_code == 5
