"""A model's configuration as it answers one sample: from a fresh state, in a batch of any size.

A `stateful=True` layer carries its state from one batch to the next, and asks for a fixed batch size for that. On a
device each sample starts afresh, which is what the first call of such a layer computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["answer_one_call"]

_SHAPES = ("batch_shape", "batch_input_shape")


def answer_one_call(layers: Iterable[dict[str, Any]]) -> list[str]:
    """Take state between calls and fixed batch sizes out of the configurations of `layers`, in place.

    Args:
        layers: `{"class_name": ..., "config": {...}}`, as a model's configuration holds them.

    Returns:
        Names of the layers that were changed.
    """
    changed = []
    for layer in layers:
        config = layer.get("config")
        if not isinstance(config, dict):
            continue
        stateful = config.get("stateful") is True
        fixed = [key for key in _SHAPES if isinstance(config.get(key), list) and config[key][:1] not in ([], [None])]
        if stateful:
            config["stateful"] = False
        for key in fixed:
            config[key] = [None, *config[key][1:]]
        if stateful or fixed:
            changed.append(str(config.get("name", layer.get("class_name"))))
    return changed
