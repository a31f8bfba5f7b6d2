"""What is tried before anything is searched, cheapest first: each stage looks at what the one before it missed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from dltk.search.limits import Bounds
from dltk.search.trial import Trial

__all__ = ["FLOAT16", "INT8", "Proposal", "QAT", "CORRECTED", "cheap_plans", "float_layer_plans",
           "misses_drop_only", "with_float_layers"]  # fmt: skip

INT8: tuple[str, ...] = ("quantize:repair=false",)
CORRECTED: tuple[str, ...] = ("quantize",)
QAT: tuple[str, ...] = ("quantize:method=qat",)
FLOAT16: tuple[str, ...] = ("quantize:precision=float16",)


@dataclass(frozen=True)
class Proposal:
    """Steps to try, and the stage that came upon them."""

    stage: str
    steps: tuple[str, ...]


def cheap_plans(
    bounds: Bounds, sensitive: Callable[[], Sequence[str]], *, trains: bool
) -> Generator[Proposal, Trial, None]:
    """int8 from calibration; with bias correction; sensitive layers in float; quantization-aware training.

    Send the trial of each proposal back with `send`. Nothing is proposed that cannot help: leaving layers float
    and training gain accuracy only, so they are for candidates that miss nothing but the drop.

    Args:
        sensitive: names of layers, the one that int8 hurts most first; asked only where needed, for it takes a while.
        trains: whether there are targets to train toward.
    """
    first = yield Proposal("int8", INT8)
    corrected = yield Proposal("bias correction", CORRECTED)
    if not (misses_drop_only(bounds, corrected) or misses_drop_only(bounds, first)):
        return
    for steps in float_layer_plans(sensitive()):
        trial = yield Proposal("sensitive layers float", steps)
        if not misses_drop_only(bounds, trial):
            break  # it grew over another limit, or could not be made: with more float layers so would the next
    if trains:
        yield Proposal("quantization-aware training", QAT)


def float_layer_plans(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Plans that leave the first 1, 2, 4, ... of `names` float, up to half of them."""
    counts = [2**i for i in range(len(names).bit_length()) if 2**i <= max(1, len(names) // 2)] if names else []
    return [with_float_layers(CORRECTED, names[:count]) for count in counts]


def with_float_layers(steps: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    """`steps`, whose last is quantize, with these layers left float."""
    if not names:
        return steps
    joined = "," if ":" in steps[-1] else ":"
    return (*steps[:-1], f"{steps[-1]}{joined}keep={','.join(names)}")


def misses_drop_only(bounds: Bounds, trial: Trial) -> bool:
    """Whether all else that is limited is met."""
    if trial.measures is None:
        return False
    return {miss.limit for miss in bounds.misses(trial.measures)} == {"drop"}
