"""Rates against their closed forms; update rules against what they must do."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dltk.recipe import Fit
from dltk.training.optimizers import lengthened, rate
from dltk.training.selection import Selection

EXACT = 1e-12  # relative: a handful of float64 operations


def _fit(schedule, **settings):
    return Fit(epochs=10, learning_rate=0.5, schedule=schedule, **settings)


def test_constant_and_plateau_stay():
    assert {rate(_fit(name), step, 7) for name in ("constant", "plateau") for step in range(70)} == {0.5}


def test_cosine_goes_from_the_peak_to_zero():
    for step in range(70):
        expected = 0.25 * (1 + math.cos(math.pi * step / 70))
        assert rate(_fit("cosine"), step, 7) == pytest.approx(expected, rel=EXACT)
    assert rate(_fit("cosine"), 70, 7) == pytest.approx(0, abs=EXACT)


def test_step_falls_at_whole_decays():
    fit = _fit("step", decay_every=0.3, decay_factor=0.1)  # 0.3 * 10 is a little over 3 in floating point
    assert [rate(fit, step, 10) for step in (0, 2, 3, 5, 6)] == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005], rel=EXACT)


def test_exponential_is_smooth():
    fit = _fit("exponential", decay_every=2.0, decay_factor=0.25)
    assert rate(fit, 14, 7) == pytest.approx(0.125, rel=EXACT)
    assert rate(fit, 7, 7) == pytest.approx(0.25, rel=EXACT)


def test_warm_up_is_linear_and_shifts_the_schedule():
    fit = _fit("cosine", warmup=2.0)
    assert [rate(fit, step, 4) for step in (0, 3, 7)] == pytest.approx([0.5 / 9, 2.0 / 9, 4.0 / 9], rel=EXACT)
    assert rate(fit, 8, 4) == 0.5
    assert rate(fit, 24, 4) == pytest.approx(0.25, rel=EXACT)  # half of what is left


@pytest.mark.parametrize(("samples", "epochs"), [(64, 25), (70, 13), (7, 50), (100_000, 10), (0, 50)])
def test_few_samples_have_more_epochs_for_the_least_steps(samples, epochs):
    assert lengthened(Fit(epochs=10, batch_size=32, least_steps=0), samples).epochs == 10
    found = lengthened(Fit(epochs=10, batch_size=32, least_steps=50 if samples != 70 else 37), samples)
    assert found.epochs == epochs


def test_more_epochs_are_logged_and_none_stay_none():
    lines = []
    progress = SimpleNamespace(log=lines.append)
    few = Fit(epochs=10, batch_size=32, least_steps=500)
    assert lengthened(few, 64, name="head", progress=progress).epochs == 250
    assert len(lines) == 1
    assert "250 epochs in place of 10" in lines[0]
    assert "--set head.epochs=N" in lines[0]
    assert lengthened(replace(few, epochs=0), 64, progress=progress).epochs == 0
    assert lengthened(few, 64_000, progress=progress) == few
    assert len(lines) == 1


def test_plateau_lowers_the_rate_when_nothing_gets_better():
    selection = Selection(_fit("plateau", plateau_patience=2, decay_factor=0.5))
    factors = []
    for epoch, score in enumerate((0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.3)):
        selection.take(epoch, (score, 0.0), [])
        factors.append(selection.factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_the_start_competes_for_best_but_patience_counts_own_epochs():
    selection = Selection(_fit("constant", patience=2))
    assert selection.take(-1, (0.9, -0.1), ["start"])
    for epoch, score in enumerate((0.5, 0.6, 0.7)):
        assert not selection.take(epoch, (score, -1.0), ["own"])
        assert not selection.exhausted(epoch + 1)
    assert (selection.values, selection.kept) == (["start"], 0)
    restored = Selection(_fit("constant", patience=2))
    restored.restore({"selection": selection.numbers()}, selection.values)
    for each in (selection, restored):
        assert not each.take(3, (0.65, -1.0), ["own"])
        assert not each.exhausted(4)
        assert not each.take(4, (0.9, -0.1), ["own"]), "of equal ones the earlier stays"
        assert each.take(5, (0.9, -0.05), ["own"])
        assert each.kept == 6


def test_patience_counts_epochs_without_progress():
    selection = Selection(_fit("constant", patience=2))
    assert selection.take(0, (0.5, -1.0), [1])
    assert selection.take(1, (0.5, -0.9), [2])  # as accurate, but surer
    assert not selection.take(2, (0.4, -0.1), [3])
    assert not selection.exhausted(3)
    assert not selection.take(3, (0.5, -0.9), [4])
    assert selection.exhausted(4)
    assert selection.values == [2]
