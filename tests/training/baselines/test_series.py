"""Simple forecasts beside the model: by hand, and on a series that one of them knows."""

from __future__ import annotations

import numpy as np
import pytest

from dltk import tasks
from dltk.base.progress import SILENT
from dltk.recipe import Built
from dltk.recipe.load import load, resolve
from dltk.training.baselines.series import compare_series


def compared(folder, values, error, *pairs):
    path = folder / "load.csv"
    path.write_text("time,load\n" + "".join(f"{time},{value}\n" for time, value in enumerate(values)))
    recipe = load("forecast")
    settings = resolve(recipe, ("data.window=8", "data.horizon=2", *pairs), smoke=False)
    task = tasks.task(recipe.task)
    dataset = task.prepare(settings, str(path), progress=SILENT)
    return compare_series(dataset, task.signature(settings, dataset, Built(None, ())), error)


def test_a_line_is_what_a_ridge_knows(tmp_path):
    """The last value of a line that rises by 1 is off by 1 and 2; a season of 4 before, by 4 at every step."""
    found = compared(tmp_path, np.arange(200), 0.5, "data.season=4")
    assert found["last_value_mean_absolute_error"] == pytest.approx(1.5, abs=1e-4)
    assert found["seasonal_naive_mean_absolute_error"] == pytest.approx(4, abs=1e-4)
    assert found["ridge_mean_absolute_error"] < 0.1
    assert found["comparison"].startswith("the model (0.5) does not beat a ridge autoregression (")


def test_a_model_that_is_ahead_is_compared_with_the_best(tmp_path):
    noise = np.random.default_rng(0).standard_normal(300)
    found = compared(tmp_path, 50 + noise, 0.1)
    assert "beats the best simple forecast, a ridge autoregression" in found["comparison"]
    assert found["ridge_mean_absolute_error"] < found["last_value_mean_absolute_error"]


@pytest.mark.parametrize("pairs", [("data.transform=log",), ("data.validation=0",)])
def test_every_setting_has_its_baselines(tmp_path, pairs):
    found = compared(tmp_path, 5 + np.arange(100) % 4, 1.0, *pairs)
    assert found["ridge_mean_absolute_error"] == pytest.approx(0, abs=0.05)
