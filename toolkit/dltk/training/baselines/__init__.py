"""What a model is compared with: simple forecasts, on the same rows."""

from __future__ import annotations

from dltk.training.baselines.series import compare_series

__all__ = ["compare_series"]
