"""Tables as spreadsheets, databases and instruments write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_ROWS = [(age, ("Graz", "Linz")[age % 2], ("low", "high")[age % 3 == 0]) for age in range(20, 60)]


def _plain(folder: Path) -> Path:
    path = folder / "people.csv"
    path.write_text("age,city,income\n" + "".join(f"{age},{city},{income}\n" for age, city, income in _ROWS))
    return path


def _people(dataset: Dataset) -> None:
    assert dataset.labels == ("high", "low")
    assert dataset.report["columns"]["numbers"] == ["age"]
    assert dataset.report["columns"]["categories"] == ["city"]
    ages = np.concatenate(
        [split.take(slice(None))["numbers"][:, 0] for split in (dataset.train, dataset.validation, dataset.test)]
    )
    np.testing.assert_array_equal(np.sort(ages), [age for age, _, _ in _ROWS])


CASES = (Case("commas and a header", "tabular", _plain, _people),)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_odd_table_is_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
