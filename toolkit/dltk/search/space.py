"""What the search may combine: student width, channels, sparsity, clusters, and how int8 is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltk.search.limits import Bounds
from dltk.search.plans import CORRECTED, QAT, with_float_layers

__all__ = ["Space"]

Choice = Callable[[str, Sequence[Any]], Any]  # (name, choices) -> one of them

_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25)
_CHANNELS = (1.0, 0.85, 0.7, 0.5, 0.35)
_SPARSITIES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8)
_CLUSTERS = (0, 64, 32, 16, 8)
_RATES = (3e-5, 1e-4, 3e-4)
_KEPT = (0, 1, 2, 4, 8)


@dataclass(frozen=True)
class Space:
    """Which knobs there are. A knob that cannot help with the limits is not one.

    Zeros and clusters make only the download smaller; fewer channels and narrower students all but the drop.

    Attributes:
        sensitive: layers that may be left float, the one that int8 hurts most first.
    """

    knobs: Mapping[str, tuple[Any, ...]]
    sensitive: tuple[str, ...] = ()

    @classmethod
    def of(cls, bounds: Bounds, sensitive: Sequence[str], *, trains: bool) -> Space:
        """The knobs that the limits ask for and that the task has."""
        limited, knobs = bounds.limited(), dict[str, tuple[Any, ...]]()
        if trains and limited & {"size", "download", "latency"}:
            knobs |= {"width": _WIDTHS, "channels": _CHANNELS}
        if trains and "download" in limited:
            knobs |= {"sparsity": _SPARSITIES, "clusters": _CLUSTERS}
        if trains:
            knobs |= {"method": ("calibrate", "qat"), "rate": _RATES}
        if "drop" in limited:
            knobs |= {"kept": tuple(count for count in _KEPT if count <= len(sensitive))}
        return cls({name: choices for name, choices in knobs.items() if len(choices) > 1}, tuple(sensitive))

    def steps(self, choose: Choice) -> tuple[str, ...]:
        """Steps from one choice per setting; settings that have no effect with the other choices are skipped."""

        def choice(name: str, nothing: Any) -> Any:
            return choose(name, self.knobs[name]) if name in self.knobs else nothing

        found = []
        if (width := choice("width", 1.0)) < 1:
            found.append(f"distil:student=width:{width:g}")
        if (keep := choice("channels", 1.0)) < 1:
            found.append(f"channels:keep={keep:g}")
        if sparsity := choice("sparsity", 0.0):
            found.append(f"prune:sparsity={sparsity:g}")
        if clusters := choice("clusters", 0):
            found.append(f"cluster:clusters={clusters}")
        last = CORRECTED
        if choice("method", "calibrate") == "qat":
            last = (f"{QAT[0]},learning_rate={choice('rate', 1e-4):g}",)
        if width == 1:  # a student's layers are others
            last = with_float_layers(last, self.sensitive[: choice("kept", 0)])
        return (*found, *last)

    def starts(self) -> list[dict[str, Any]]:
        """Points to begin with: what is known to work, mildest first."""
        plain = {name: choices[0] for name, choices in self.knobs.items()} | self._known(method="calibrate", kept=0)
        points = [
            self._known(sparsity=0.5, clusters=32, method="qat", rate=1e-4),
            self._known(channels=0.7, method="qat", rate=1e-4),
            self._known(channels=0.7, sparsity=0.5, clusters=16, method="qat", rate=1e-4),
            self._known(width=0.5, method="calibrate"),
            self._known(method="qat", rate=3e-4),
        ]
        found: list[dict[str, Any]] = []
        for point in (plain | point for point in points):
            if point not in found:
                found.append(point)
        return found

    def _known(self, **values: Any) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value in self.knobs.get(name, ())}
