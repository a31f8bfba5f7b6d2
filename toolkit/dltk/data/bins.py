"""Where the bins of numbers lie: at quantiles of the training rows.

The step "bins" of `dltk.edge.input.preprocess` appends to each row how far its numbers have come through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.input.preprocess import apply_ops

__all__ = ["bins_of"]

_MOST = 480  # bins of all columns: the first dense layer has a row of weights for each
_LEAST = 2  # bins of a column; a single one is the number itself
_ROWS = 50  # training rows a bin: with fewer, eight tables of 200 to 1,000 rows were fitted by noise


def bins_of(numbers: NDArray[Any], mean: Sequence[float], std: Sequence[float], most: int) -> dict[str, list[Any]]:
    """Parameters of the step "bins": of each bin its "column", "low" end and "width"; nothing if there are no bins.

    A column with few different numbers has a bin between each two; any other `most` bins that hold as many rows each,
    or fewer bins where there are many columns or few rows. Edges are in standardized numbers, as the step gets them.

    Args:
        numbers: of the training rows (n, columns), NaN where empty.
        mean, std: of each column.
        most: bins of a column; 0: none.
    """
    most = min(most, _MOST // max(numbers.shape[1], 1), len(numbers) // _ROWS)
    found: dict[str, list[Any]] = {"column": [], "low": [], "width": []}
    if most < _LEAST:
        return {}
    standardized = apply_ops(np.asarray(numbers, np.float32), [{"op": "standardize", "mean": mean, "std": std}])
    for column, values in enumerate(standardized.T.astype(np.float64)):
        edges = _edges(values[~np.isnan(values)], most)
        if len(edges) <= _LEAST:
            continue
        found["column"] += [column] * (len(edges) - 1)
        found["low"] += edges[:-1].tolist()
        found["width"] += np.diff(edges).tolist()
    return found if found["column"] else {}


def _edges(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Ends of bins, ascending, float32 numbers that differ."""
    different = np.unique(values)
    if len(different) > most + 1:
        different = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)))
    return np.unique(different.astype(np.float32)).astype(np.float64)
