"""The layers of a model in order, and names of them that do not depend on what else was built in the process."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

__all__ = ["Names", "flat_layers"]


def flat_layers(model: Any) -> Iterator[Any]:
    """The layers of `model`, those of nested models in their place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from flat_layers(layer)
        else:
            yield layer


class Names:
    """Gives every layer or operation of one graph, asked about in order, a fixed name.

    Names chosen by the user stay. Names that Keras made up count over the life of a process (`add_21`), so that two
    equal builds would give different files: they are counted again within this graph.
    """

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()

    def of(self, operation: Any) -> str:
        """The fixed name of `operation`; ask once for each."""
        return self.of_kind(type(operation).__name__, str(operation.name))

    def of_kind(self, kind: str, name: str) -> str:
        """The fixed name of an operation of the class `kind` that is called `name` now."""
        made_up = _snake(kind)
        if not re.fullmatch(rf"{re.escape(made_up)}(_\d+)?", name):
            return name
        number = self._counted[made_up]
        self._counted[made_up] += 1
        return f"{made_up}_{number}" if number else made_up


def _snake(name: str) -> str:
    """`ReLU` -> `re_lu`, as Keras does it."""
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
