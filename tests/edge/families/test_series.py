"""Series: what is read, what is answered, how far off it may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.families import family
from edge.signatures import SERIES

INTERVAL = {"op": "interval", "level": 0.8, "low": [[-1.0, 0.0], [-2.0, -1.0]], "high": [[0.5, 1.0], [1.0, 1.0]]}
GROWING = replace(
    SERIES,
    preprocess=(SERIES.preprocess[0], {"op": "log"}, {"op": "standardize", "mean": [1.0, 0.0], "std": [2.0, 1.0]}),
    postprocess=({"op": "unstandardize", "mean": [1.0, 0.0], "std": [2.0, 1.0]}, {"op": "exp"}),
)


def test_a_series_is_the_last_rows_of_a_table(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,heat,load\n" + "".join(f"{t},{t / 10},{t}\n" for t in range(9)))
    raw = family("series").read(path, SERIES)
    assert raw.dtype == np.float32
    assert np.array_equal(raw, np.array([[6, 0.6], [7, 0.7], [8, 0.8]], np.float32))
    tensors = family("series").tensors(raw[None], SERIES)
    assert tensors["series"][0, 0].tolist() == pytest.approx([-2.0, 1.2])
    assert np.array_equal(family("series").read(raw, SERIES), raw)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("time,load,heat\n0,1,2\n1,2,3\n", "rows"),
        ("time,load\n0,1\n1,2\n2,3\n", "heat"),
        ("time,load,heat\n0,1,2\n1,x,3\n2,2,3\n", "line 3"),
        ("time,load,heat\n0,1,2\n1,nan,3\n2,2,3\n", "line 3"),
        ("time,load,heat\n0,1,2\n1,2\n2,2,3\n", "line 3"),
        ("time;load;heat\n0;1;2\n", "comma"),
    ],
)
def test_a_bad_series_names_its_line(tmp_path, text, place):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=place) as caught:
        family("series").read(path, SERIES)
    assert "load.csv" in str(caught.value)


def test_a_forecast_is_in_the_datas_unit():
    outputs = {"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]], np.float32)}
    kind = family("series")
    (answer,) = kind.predictions(outputs, SERIES, top=1)
    assert answer == [
        {"load": {"value": 10.0}, "heat": {"value": 0.0}},
        {"load": {"value": 12.0}, "heat": {"value": 1.0}},
    ]
    flat = {"forecast": outputs["forecast"].reshape(1, 4)}
    assert kind.predictions(flat, SERIES, top=1) == [answer]
    targets = np.array([[[0.0, 0.0], [2.0, 2.0]]])  # standardized like outputs; scored in the data's unit
    assert kind.metrics[0].scores(outputs, targets, SERIES).tolist() == [0.5]


def test_a_forecast_says_how_far_off_it_may_be():
    kind = family("series")
    outputs = {"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]], np.float32), "series": np.zeros((1, 3, 2), np.float32)}
    signature = SERIES.with_postprocess(INTERVAL, *SERIES.postprocess)
    (answer,) = kind.predictions(outputs, signature, top=1)
    assert answer[0] == {
        "load": {"value": 10.0, "low": 8.0, "high": 11.0},
        "heat": {"value": 0.0, "low": 0.0, "high": 0.5},
    }
    assert answer[1]["load"] == {"value": 12.0, "low": 8.0, "high": 14.0}
    assert "load=12 [8, 14]" in kind.as_text(answer)
    flat = {**outputs, "forecast": outputs["forecast"].reshape(1, 4)}
    assert kind.predictions(flat, signature, top=1) == [answer]


def test_an_interval_grows_with_the_changes_of_its_window():
    """By hand: the changes of the window are 1 and 3 from row to row, 4 from season to season, and 0."""
    kind = family("series")
    windows = np.array([[[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]]], np.float32)
    outputs = {"forecast": np.zeros((1, 2, 2), np.float32), "series": windows}
    for season, scale in ((1, 2.0), (2, 4.0), (3, 2.0)):
        signature = SERIES.with_postprocess({**INTERVAL, "season": season}, *SERIES.postprocess)
        (answer,) = kind.predictions(outputs, signature, top=1)
        assert answer[0]["load"]["low"] == pytest.approx(10 - 2 * 1.0 * (scale + 1e-3))
        assert answer[1]["heat"]["high"] == pytest.approx(0.5 * 1.0 * 1e-3)


@pytest.mark.parametrize("wrong", [{"low": [[0.0]]}, {"low": [["x", 0], [0, 0]]}, {"high": [[0.0, np.inf], [0, 0]]}])
def test_an_interval_that_does_not_fit_the_outputs_is_refused(wrong):
    signature = SERIES.with_postprocess({**INTERVAL, **wrong}, *SERIES.postprocess)
    with pytest.raises(InputError, match="postprocess: interval"):
        family("series").predictions({"forecast": np.zeros((1, 2, 2)), "series": np.zeros((1, 3, 2))}, signature, top=1)


def test_a_growing_series_is_seen_through_its_logarithm():
    kind, raws = family("series"), np.exp(np.array([[[1.0, 0.0], [3.0, 1.0], [5.0, 2.0]]])).astype(np.float32)
    tensors = kind.tensors(raws, GROWING)["series"]
    assert tensors[0] == pytest.approx(np.array([[0, 0], [1, 1], [2, 2]]), abs=1e-6)  # float32 of e^5 and back
    (answer,) = kind.predictions({"forecast": np.array([[[0.0, 0.0], [1.0, 2.0]]])}, GROWING, top=1)
    assert answer[1]["load"]["value"] == pytest.approx(np.exp(3.0))
    assert (kind.synthetic(GROWING, count=3, seed=0) > 0).all()
    far = kind.predictions({"forecast": np.full((1, 2, 2), 1e6)}, GROWING, top=1)
    assert np.isfinite(far[0][0]["load"]["value"])
    with pytest.raises(InputError, match=r"array: must hold numbers above 0.*received 0"):
        kind.read(np.zeros((3, 2)), GROWING)


def test_rows_at_predict_stand_as_far_apart_as_in_training(tmp_path):
    window = {**SERIES.preprocess[0], "time": {"column": "day", "unit": "second", "size": 86_400}}
    signature, kind = replace(SERIES, preprocess=(window, SERIES.preprocess[1])), family("series")
    path = tmp_path / "load.csv"

    def write(*days):
        path.write_text("day,load,heat\n" + "".join(f"2024-01-{day:02d},{day},1\n" for day in days))
        return path

    assert kind.read(write(1, 5, 6, 7), signature)[:, 0].tolist() == [5, 6, 7]  # the gap is older than the window
    with pytest.raises(InputError, match=r"line 4.*later than"):
        kind.read(write(5, 6, 6), signature)
    with pytest.raises(InputError, match="line 3: rows must be 1 day"):
        kind.read(write(1, 3, 5), signature)
    with pytest.raises(InputError, match=r"line 3.*must rise by"):
        kind.labelled(write(1, 5, 6, 7, 8, 9), signature)
    assert len(kind.labelled(write(1, 2, 3, 4, 5), signature).raws) == 1
    path.write_text("time,load,heat\n1,2,3\n")
    with pytest.raises(InputError, match="needs a column 'day'"):
        kind.read(path, signature)
    broken = replace(SERIES, preprocess=({**window, "time": {"column": "day"}}, SERIES.preprocess[1]))
    with pytest.raises(InputError, match="preprocess: window: time"):
        kind.read(write(1, 2, 3), broken)


def test_a_labelled_series_is_scored_in_its_own_unit(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,load,heat\n" + "".join(f"{t},{2.0**t},{t + 1}\n" for t in range(6)))
    kind = family("series")
    found = kind.labelled(path, GROWING)
    assert found.raws.shape == (len(found.targets), 3, 2) == (2, 3, 2)
    (answer, _) = kind.predictions({"forecast": found.targets}, GROWING, top=1)
    assert answer[0]["load"]["value"] == pytest.approx(8.0)
    assert kind.metrics[0].scores({"forecast": found.targets}, found.targets, GROWING).tolist() == [0.0, 0.0]
    path.write_text("time,load,heat\n1,5,1\n2,5,1\n3,0,1\n4,5,1\n5,5,1\n")
    with pytest.raises(InputError, match="line 4: column 'load' must be above 0"):
        kind.labelled(path, GROWING)


def test_a_file_to_predict_is_read_as_the_training_data_was(tmp_path):
    """Day first, a missing day that is interpolated, two series: all of it stands in the step "window"."""
    window = {
        "op": "window", "length": 3, "columns": ["load", "heat"], "gaps": "interpolate", "series": ["shop"],
        "time": {"column": "day", "unit": "second", "size": 86_400, "dates": "day-first"},
    }  # fmt: skip
    signature, kind = replace(SERIES, preprocess=(window, SERIES.preprocess[1])), family("series")
    path = tmp_path / "shops.csv"
    lines = [f"{day:02d}/02/2024,{shop},{day * 10 + at},1" for day in (1, 2, 4) for at, shop in enumerate("ab")]
    path.write_text("\n".join(["day,shop,load,heat", *lines]) + "\n")
    found = kind.expand(str(path), signature)
    assert [(part.title, kind.read(part, signature)[:, 0].tolist()) for part in found] == [
        ("a", [20, 30, 40]),
        ("b", [21, 31, 41]),
    ]
    with pytest.raises(InputError, match="one series"):
        kind.read(path, signature)
    path.write_text(path.read_text().replace("04/02", "02/13"))
    with pytest.raises(InputError, match=r"line 6.*times of one form"):
        kind.expand(str(path), signature)
    longer = [f"{day:02d}/02/2024,{shop},{day},1" for day in range(1, 8) for shop in "ab"]
    path.write_text("\n".join(["day,shop,load,heat", *longer, "01/02/2024,c,1,1"]) + "\n")
    labelled = kind.labelled(path, signature)
    assert len(labelled.raws) == 2 * 3  # 7 rows, a window of 3 and a horizon of 2, in each of two series
    assert labelled.skipped == (("c", "too few rows"),)
