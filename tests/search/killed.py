"""A child process that searches and is killed: `python -m search.killed FOLDER COUNT` dies in evaluation COUNT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from search import stub


def main(folder: Path, last: int) -> None:
    """Write a line an evaluation; kill the process within one."""
    count = iter(range(1, 1000))

    def dying(steps: tuple[str, ...]) -> dict[str, Any]:
        number = next(count)
        with open(folder / "evaluated", "a") as stream:
            stream.write(" ".join(steps) + "\n")
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return stub.row(steps)

    stub.searched(folder, stub.bounds(download=10_000), trials=4, evaluate=dying)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
