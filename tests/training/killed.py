"""A child process that trains and is killed: `python -m training.killed PLACE CHECKPOINT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from dltk.training import FitTrainer, harness, run
from training import kit


def trainer(name: str = "fit") -> FitTrainer:
    """Shuffling, augmentation, dropout, batch norm, Adam, cosine, averaging: all that makes a resume inexact."""
    return FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, kit.EVERYTHING, seed=3, name=name, augment=kit.AUGMENT)


def main(place: str, path: Path) -> None:
    """Die in the middle of the fourth epoch, or with half of the third checkpoint written."""
    harness._WRITE_SHARE = 1e9  # a checkpoint every epoch
    made = trainer()
    if place == "epoch":
        step, count = made.step, iter(range(10_000))

        def dying_step(batch: Any) -> Any:
            if next(count) == 3 * made.steps + 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(batch)

        made.step = dying_step  # type: ignore[method-assign]
    else:
        replace, writes = os.replace, iter(range(10_000))

        def dying_replace(source: Any, target: Any) -> None:
            if next(writes) == 2:
                os.truncate(source, os.path.getsize(source) // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)

        os.replace = dying_replace
    run(made, checkpoint=path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
