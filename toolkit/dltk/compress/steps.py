"""The steps by name, as `--step` takes them, and the order that is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError, StepOrderError, UsageError, did_you_mean
from dltk.compress.candidate import Candidate, Outcome, Step, Workbench
from dltk.compress.channels import Channels, channels
from dltk.compress.cluster import Cluster, cluster
from dltk.compress.distil import Distil, distil
from dltk.compress.prune import Prune, prune
from dltk.compress.quantize import Quantize, quantize
from dltk.recipe.settings import as_dict, assign, format_value

__all__ = ["STEPS", "Planned", "parse_steps"]

STEPS: Mapping[str, Step] = {
    "distil": Step(Distil(), distil, stage=0, order_reason="it makes another model"),
    "channels": Step(Channels(), channels, stage=1, order_reason="it removes channels that later steps have trained"),
    "prune": Step(Prune(), prune, stage=2, order_reason="it changes weights"),
    "cluster": Step(Cluster(), cluster, stage=3, order_reason="it changes weights"),
    "quantize": Step(Quantize(), quantize, stage=4, order_reason="ranges are measured last"),
}


@dataclass(frozen=True)
class Planned:
    """A step and its settings, resolved."""

    name: str
    settings: Any

    def apply(self, candidate: Candidate, bench: Workbench) -> Outcome:
        """Take the step."""
        return STEPS[self.name].apply(candidate, self.settings, bench)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"name": self.name, "settings": as_dict(self.settings)}

    def as_text(self) -> str:
        """`NAME:KEY=VALUE,...` with every setting, as `parse_steps` takes it."""
        pairs = [f"{key}={format_value(value)}" for key, value in as_dict(self.settings).items()]
        return f"{self.name}:{','.join(pairs)}" if pairs else self.name


def parse_steps(texts: Sequence[str]) -> tuple[Planned, ...]:
    """`NAME[:KEY=VALUE[,KEY=VALUE]]` texts as steps, in an order that undoes nothing.

    Raises:
        UsageError: on an unknown step.
        InputError: on an unknown or ill-typed setting.
        StepOrderError: if a step would undo an earlier one.
    """
    planned = []
    for text in texts:
        name, _, rest = text.partition(":")
        if name not in STEPS:
            raise UsageError(f"--step {text}", "names no step", name, did_you_mean(name, STEPS))
        planned.append(Planned(name, _settings(name, rest, text)))
    names = [step.name for step in planned]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise StepOrderError(f"--step {name}", "may be given once")
        later = [other for other in names[:i] if STEPS[other].stage > STEPS[name].stage]
        if later:
            raise StepOrderError(f"--step {name}", f"must come before {later[0]}: {STEPS[name].order_reason}")
    return tuple(planned)


def _settings(name: str, rest: str, text: str) -> Any:
    pairs = _pairs(rest)
    for pair in pairs:
        if "=" not in pair:
            hint = "For example --step prune:sparsity=0.5,epochs=2."
            raise InputError(f"--step {text}", "settings must be KEY=VALUE", pair, hint)
    try:
        return assign(STEPS[name].defaults, pairs)
    except InputError as fault:
        raise type(fault)(f"--step {text}: {fault.where}", fault.rule, fault.received, fault.hint) from fault


def _pairs(rest: str) -> list[str]:
    """`a=1,b=x,y` as ["a=1", "b=x,y"]: a part without = belongs to the list before it."""
    found: list[str] = []
    for part in filter(None, rest.split(",")):
        if "=" in part or not found:
            found.append(part)
        else:
            found[-1] += f",{part}"
    return found
