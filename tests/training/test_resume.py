"""`--resume` after SIGKILL gives, to the bit, the weights of an undisturbed run."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import importing
from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import Silent
from dltk.training import FitTrainer, checkpoint, run
from training import killed, kit


def _sha256(weights):
    return [sha256(value.tobytes()) for value in weights]


def _figures(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    """Checkpoints that killed processes left, by the place where they died; they run side by side."""
    folder = tmp_path_factory.mktemp("killed")
    environment = importing.environment(DLTK_CACHE=str(folder))
    paths = {place: kit.checkpoint(folder / place) for place in killed.PLACES}
    running = [
        subprocess.Popen([sys.executable, "-m", "training.killed", place, str(path)], env=environment, stderr=-3)
        for place, path in paths.items()
    ]
    assert [child.wait(timeout=240) for child in running] == [-signal.SIGKILL] * len(paths)
    return paths


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    trainer = killed.trainer()
    history = run(trainer, checkpoint=kit.checkpoint(tmp_path_factory.mktemp("undisturbed")))
    return _figures(history), kit.weights(trainer._learner)


def test_a_stopped_run_resumes_to_the_bit(tmp_path, undisturbed):
    """In one process, so that it is quick; the next test is the real thing."""
    stopped, resumed, path = killed.trainer(), killed.trainer(), kit.checkpoint(tmp_path)
    stopped.done = lambda history: len(history) == 3
    run(stopped, checkpoint=path)
    assert _figures(run(resumed, checkpoint=path, resume=True)) == undisturbed[0]
    assert kit.same(kit.weights(resumed._learner), undisturbed[1])


@pytest.mark.slow
@pytest.mark.parametrize(("place", "epochs"), killed.PLACES.items())
def test_a_killed_run_resumes_to_the_bit(place, epochs, children, undisturbed):
    progress, trainer = Silent(), killed.trainer()
    history = run(trainer, checkpoint=children[place], resume=True, progress=progress)
    found = [text for text in progress.said if "resuming" in text]
    assert found == [f"fit: resuming after epoch {epochs} of 6"][: epochs > 0]
    assert _figures(history) == undisturbed[0]
    assert _sha256(kit.weights(trainer._learner)) == _sha256(undisturbed[1])
    assert not list(children[place].parent.glob(".dltk-*")), "what the killed process left is swept away"


def test_resume_of_a_finished_phase_puts_its_weights_in_place(tmp_path, undisturbed):
    run(killed.trainer(), checkpoint=kit.checkpoint(tmp_path))
    again = killed.trainer()
    assert _figures(run(again, checkpoint=kit.checkpoint(tmp_path), resume=True)) == undisturbed[0]
    assert kit.same(kit.weights(again._learner), undisturbed[1])


def test_resume_refuses_other_settings(tmp_path):
    path, fit = kit.checkpoint(tmp_path), replace(kit.EVERYTHING, epochs=1)
    run(FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, fit, seed=3), checkpoint=path)
    other = FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, replace(fit, learning_rate=0.5), seed=3)
    with pytest.raises(InputError, match="same model, starting weights, data and settings"):
        run(other, checkpoint=path, resume=True)


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = kit.checkpoint(tmp_path)
    checkpoint.write(path, checkpoint.Checkpoint([{"epoch": 1}], {"a": np.zeros(3)}))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"fit\.npz: must be a whole checkpoint"):
        checkpoint.read(path)
    assert checkpoint.read(tmp_path / "none.npz") is None
