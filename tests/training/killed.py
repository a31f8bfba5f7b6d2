"""A child process that trains and is killed: `python -m training.killed PLACE CHECKPOINT`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dltk.training import FitOptions, FitTrainer, harness, run
from training import kit

# Where it dies -> epochs that the checkpoint then holds.
PLACES = {"first epoch": 0, "epoch": 3, "evaluation": 4, "write": 2, "renamed": 3}


def trainer(name: str = "fit") -> FitTrainer:
    """Shuffling, augmentation, dropout, batch norm, Adam, cosine, averaging: all that makes a resume inexact."""
    return FitTrainer(
        kit.model(), kit.dataset(), kit.SIGNATURE, kit.EVERYTHING, FitOptions(kit.AUGMENT), seed=3, name=name
    )


def main(place: str, path: Path) -> None:
    """Die in a step of the first epoch or the fourth, in the fifth evaluation, or in or after the third checkpoint."""
    harness._WRITE_SHARE = 1e9  # a checkpoint every epoch
    made = trainer()
    if place in ("first epoch", "epoch"):
        step = PLACES[place] * made.steps + 2
        made.step = _dying(made.step, step)  # type: ignore[method-assign]
    elif place == "evaluation":
        made.evaluate = _dying(made.evaluate, 5)  # type: ignore[method-assign]
    elif place == "write":
        os.replace = _dying(os.replace, 2, lambda source, target: os.truncate(source, os.path.getsize(source) // 2))
    else:
        os.replace = _dying(os.replace, 2, os.replace)
    run(made, checkpoint=path)


def _dying(call: Callable[..., Any], last: int, instead: Callable[..., Any] = lambda *given: None) -> Any:
    """`call`, but for the time `last` (from 0): then `instead`, and the end."""
    count = iter(range(10_000))

    def counted(*given: Any) -> Any:
        if next(count) == last:
            instead(*given)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given)

    return counted


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
