"""Forecasts: windows split in time, what is learnt of the training rows alone, intervals and their figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import SILENT
from dltk.data.dataset import Split
from dltk.data.named import load as tables
from dltk.data.seasons import season_of, seasonal_naive
from dltk.edge.families import family
from dltk.edge.families.shared.intervals import interval_ends
from dltk.recipe import Built
from dltk.recipe.load import load, resolve
from dltk.tasks.conformal import half_widths


def prepared(data, *pairs):
    recipe = load("forecast")
    settings = resolve(recipe, pairs, smoke=True)
    task = tasks.task(recipe.task)
    return task, settings, task.prepare(settings, data, progress=SILENT)


def write(path, *columns, header="time,load"):
    rows = (",".join(map(str, row)) for row in zip(*columns, strict=True))
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


@pytest.fixture
def series(tmp_path):
    hours = range(200)
    columns = [20 + hour % 24 for hour in hours], [hour / 10 for hour in hours], [5] * 200
    return write(tmp_path / "series.csv", hours, *columns, header="time,load,rise,still")


def test_forecast_windows_do_not_overlap_in_what_is_forecast(series):
    _, settings, dataset = prepared(series, "data.columns=load")
    window, horizon = settings.data.window, settings.data.horizon
    spans = {
        side: {row + window + step for row in getattr(dataset, side).rows for step in range(horizon)}
        for side in ("train", "validation", "test")
    }
    assert not spans["train"] & spans["validation"]
    assert not spans["validation"] & spans["test"]
    assert max(spans["train"]) < min(spans["validation"]) < min(spans["test"])
    assert max(spans["test"]) == 199


def test_forecast_targets_follow_their_window_and_bring_the_metric_to_zero(series):
    task, settings, dataset = prepared(series)
    assert dataset.labels == ("load", "rise", "still")
    signature = task.signature(settings, dataset, Built(None, ()))
    (metric,) = family("series").metrics
    perfect = {"forecast": dataset.test.targets}
    assert metric.scores(perfect, dataset.test.targets, signature).max() == 0.0
    row = dataset.test.rows[0]
    mean, deviation = np.array(dataset.report["mean"]), np.array(dataset.report["std"])
    hours = row + settings.data.window + np.arange(settings.data.horizon)
    wanted = np.stack([20 + hours % 24, hours / 10, np.full(len(hours), 5)], axis=1)
    # float32 standardized values brought back: a few units in the last place of 20
    assert dataset.test.targets[0] * deviation + mean == pytest.approx(wanted, abs=1e-4)
    assert deviation[2] == 1.0  # a column that never changes is not divided by nothing


def test_what_cannot_be_forecast_is_refused(tmp_path, series):
    with pytest.raises(InputError, match="needs more rows"):
        prepared(series, "data.window=180")
    with pytest.raises(InputError, match="needs a column 'lood'"):
        prepared(series, "data.columns=lood")
    with pytest.raises(InputError, match=r"data\.season: must be at most data\.window, 12; received 13"):
        prepared(series, "data.window=12", "data.season=13")
    with pytest.raises(InputError, match=r"series\.csv, line 2: column 'rise' must be above 0"):
        prepared(series, "data.transform=log")
    with pytest.raises(InputError, match=r"broken\.csv.*3.*finite number"):
        prepared(write(tmp_path / "broken.csv", (1, 2), (2, "x")))
    with pytest.raises(InputError, match=r"gap\.csv, line 5: column 'time' must rise by 1 a row"):
        prepared(write(tmp_path / "gap.csv", (1, 2, 3, 5, 6), range(5)))
    with pytest.raises(InputError, match="must exist"):
        prepared(str(tmp_path / "none.csv"))


def test_the_step_of_the_rows_goes_to_the_device(tmp_path, series):
    def window(data, *pairs):
        task, settings, dataset = prepared(data, *pairs)
        return task.signature(settings, dataset, Built(None, ())).preprocess[0]

    assert window(series)["time"] == {"column": "time", "unit": "number", "size": 1.0}
    assert "time" not in window(series, "data.columns=time,load")  # the first column is a measurement
    months = [f"{1950 + month // 12}-{month % 12 + 1:02d}" for month in range(60)]
    monthly = write(tmp_path / "monthly.csv", months, range(1, 61))
    assert window(monthly)["time"] == {"column": "time", "unit": "month", "size": 1.0}


@pytest.mark.parametrize("transform", ["none", "log"])
def test_nothing_is_learnt_of_what_is_held_back(tmp_path, transform):
    """Scaler, season, trend and error scale must not change with the rows of the last fifth, nor those before it that
    only decide; the windows that train are the same to the bit.
    """
    hours = np.arange(300)
    values = 10 + np.sin(hours * 2 * np.pi / 8) + hours / 100
    other = values.copy()
    other[180:] = 900 * np.cos(hours[180:]) ** 2 + 1
    pairs = (f"data.transform={transform}", "data.validation=0.2", "data.test=0.2")
    _, _, plain = prepared(write(tmp_path / "plain.csv", hours, values), *pairs)
    _, _, changed = prepared(write(tmp_path / "changed.csv", hours, other), *pairs)
    assert plain.report["season"] == 8
    assert plain.report == changed.report
    assert (plain.train.take(slice(None)) == changed.train.take(slice(None))).all()
    assert (plain.train.targets == changed.train.targets).all()
    assert plain.digest != changed.digest
    assert (plain.test.targets != changed.test.targets).any()


def test_seasons_are_found_where_there_are_some():
    rng, rows = np.random.default_rng(0), np.arange(400)
    noise = rng.standard_normal((400, 2))
    wave = np.sin(2 * np.pi * rows / 12)[:, None]
    assert season_of(3 * wave + noise + rows[:, None] / 50, 30) == 12  # and not 24, which is as high
    assert season_of(wave, 11) == 1  # longer than may be looked for
    assert season_of(noise, 30) == 1
    assert season_of(noise.cumsum(axis=0), 30) == 1
    assert season_of(np.ones((400, 1)), 30) == 1
    assert season_of(wave[:5], 30) == 1


def test_seasonal_naive_repeats_the_last_season():
    windows = np.arange(5.0)[None, :, None]
    assert seasonal_naive(windows, horizon=5, season=2)[0, :, 0].tolist() == [3, 4, 3, 4, 3]
    assert seasonal_naive(windows, horizon=2, season=1)[0, :, 0].tolist() == [4, 4]


@pytest.mark.parametrize("seed", range(4))
def test_calibration_follows_the_trend_out_of_the_training_rows(tmp_path, seed):
    hours = np.arange(300)
    task, _, dataset = prepared(write(tmp_path / "up.csv", hours, 100 * 1.01**hours), "data.transform=log")
    count = 60
    raws = task.calibration(dataset, count=count, seed=seed)
    trained, tested = (split.take(slice(None)) for split in (dataset.train, dataset.test))
    assert raws[::2].max() <= trained.max()
    # The series grows to 1.01^300, and no window ends there but the one that is moved furthest, or one near to it. The
    # last fifth chooses among ranges that the others set: the furthest is among the others.
    assert 0.9 * tested.max() <= raws[: count * 4 // 5].max() <= 1.1 * tested.max()
    assert raws[count * 4 // 5 :].max() > trained.max()
    assert (raws == task.calibration(dataset, count=count, seed=seed)).all()
    _, _, still = prepared(write(tmp_path / "still.csv", hours, 5 + hours % 3), "data.transform=log")
    assert task.calibration(still, count=count, seed=seed).max() < 7.5  # no trend to speak of: within the data's 5..7


def test_an_interval_holds_what_it_says_of_noise_that_grows():
    """With 1000 validation windows the interval of 0.8 holds 0.8 of new noise, in calm windows and in wild ones: the
    standard error of the share is 0.013 for quantiles of 1000, and the small widening adds 0.002.
    """
    task, settings, dataset = prepared(None, "data.season=1")
    plain = task.signature(settings, dataset, Built(None, ()))
    signature = replace(plain, preprocess=({"op": "window", "length": 12, "columns": ["load"]},))
    rng = np.random.default_rng(0)

    def drawn(sizes):
        windows = np.cumsum(np.ones((len(sizes), 12, 1)) * sizes[:, None, None], axis=1)
        return windows.astype(np.float32), rng.standard_normal((len(sizes), 3, 1)) * sizes[:, None, None]

    windows, noise = drawn(rng.choice([1.0, 20.0], 1000))
    decided = replace(dataset, validation=Split(windows, np.arange(1000), noise))
    settled = task.finalize_signature(signature, np.zeros(noise.shape), decided, {})
    for size in (1.0, 20.0):
        windows, noise = drawn(np.full(20_000, size))
        low, high = interval_ends(settled.postprocess, (3, 1), windows)
        assert ((low <= noise) & (noise <= high)).mean() == pytest.approx(0.8, abs=0.04)
    again = task.finalize_signature(settled, np.zeros((1000, 3, 1)), decided, {})
    assert again == settled  # an older interval is replaced
    without = task.finalize_signature(settled, np.zeros((0, 3, 1)), dataset, {})
    assert all(op["op"] != "interval" for op in without.postprocess)


def test_few_validation_windows_are_drawn_towards_the_training_errors():
    """All errors of a split are equal, and so are its quantiles: 5 windows of 3 steps are worth 2.5 samples, of which
    30 weigh as much as the training split.
    """
    few, many = np.full((5, 3, 1), 4.0), np.full((50, 3, 1), 1.0)
    assert half_widths(few, many[:0], 0.8) == pytest.approx(np.full((3, 1), 4.0))
    weight = 2.5 / 32.5
    assert half_widths(few, many, 0.8) == pytest.approx(np.full((3, 1), 4.0**weight * 1.1 ** (1 - weight)))


def test_figures_by_hand(tmp_path):
    hours = np.arange(100)
    task, settings, dataset = prepared(write(tmp_path / "saw.csv", hours, 10 + hours % 4 + hours / 50), "data.season=4")
    signature = task.signature(settings, dataset, Built(None, ()))
    perfect = task.figures(dataset.test.targets, dataset, signature, settings)
    assert perfect["mean_absolute_error"] == perfect["symmetric_mean_absolute_percentage_error"] == 0.0
    assert "interval_coverage" not in perfect
    assert perfect["season"] == 4
    # A season earlier the saw stood 4/50 lower; float32 holds values of 10 to 1e-6.
    assert perfect["seasonal_naive_mean_absolute_error"] == pytest.approx(0.08, abs=1e-5)
    assert perfect["seasonal_naive_mean_absolute_scaled_error"] == pytest.approx(1.0, abs=1e-3)
    interval = {"op": "interval", "level": 0.8, "low": [[-1.0]] * 3, "high": [[1.0], [1.0], [-0.5]]}
    found = task.figures(
        dataset.test.targets, dataset, signature.with_postprocess(interval, *signature.postprocess), settings
    )
    assert found["coverage"] == [1.0, 1.0, 0.0]
    assert found["interval_coverage"] == pytest.approx(2 / 3)
    assert len(found["stretch"]["window"]) == 12
    assert found["stretch"]["wanted"] == found["stretch"]["value"]


def test_named_tables_come_as_their_package_has_them(tmp_path, monkeypatch):
    path = tmp_path / "Airline.csv"
    months = [f"{1949 + month // 12}-{month % 12 + 1:02d}" for month in range(144)]
    write(path, months, range(100, 244), header="Date,Passengers")
    monkeypatch.setattr(tables, "from_package", lambda package, progress: {"member": path})
    _, _, dataset = prepared("airline-passengers", "data.transform=log")
    assert dataset.labels == ("Passengers",)
    assert dataset.source == "airline-passengers"

    def refuse(package, progress):
        raise EnvironmentFault(package.name, "must be reachable")

    monkeypatch.setattr(tables, "from_package", refuse)
    with pytest.raises(EnvironmentFault, match="aeon"):
        prepared("airline-passengers")


@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_every_cell_learns_changes_and_becomes_a_file_of_plain_operators(cell):
    """Untrained: a window that is moved up moves the forecast up by as much. The file holds no Flex operator (the
    interpreter has none, and would not load it) and answers as Keras does.
    """
    from dltk.edge.runtime.sessions import open_session
    from dltk.export.emit import Target, emit
    from dltk.twin.read import read

    pairs = (f"model.cell={cell}", "model.layers=2", "model.dropout=0.3", "data.season=2")
    task, settings, dataset = prepared(None, *pairs)
    built = load("forecast").build(settings, task.contract(settings, dataset))
    signature = task.signature(settings, dataset, built)
    task.check(built.model, signature)
    windows = np.random.default_rng(0).standard_normal((4, 12, 1)).astype(np.float32)
    plain = built.model(windows, training=False).numpy()
    moved = built.model(windows + 2, training=False).numpy()
    assert moved - plain == pytest.approx(2 * np.ones_like(plain), abs=1e-5)  # float32 sums of about 5
    data = emit(read(built.model), signature, Target("tflite", "float32"), None)
    found = open_session("tflite", data).run({"series": windows})["forecast"]
    assert found == pytest.approx(plain, abs=1e-5)
