"""The hook that puts each planned tensor of a twin on its grid, for both formats alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dltk.compress.plan import QuantizationPlan

__all__ = ["fake_quant"]


def fake_quant(plan: QuantizationPlan | None) -> Callable[[str, Any], Any] | None:
    """(tensor name, tensor) -> tensor on the plan's grid; None where the plan shares no ranges."""
    if plan is None or plan.ranges != "shared":
        return None
    import tensorflow as tf

    def hook(name: str, tensor: Any) -> Any:
        grid = plan.tensors.get(name)
        if grid is None:
            return tensor
        return tf.quantization.fake_quant_with_min_max_args(tensor, min=grid.low, max=grid.high, num_bits=8)

    return hook
