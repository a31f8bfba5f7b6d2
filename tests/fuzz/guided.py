"""One target of `fuzzing.py`, guided by coverage: atheris makes the bytes that hypothesis makes its values of.

    python tests/fuzz/guided.py archives 20

For so many seconds, from one seed, within 500 MB above the imports; anything wrong ends with the traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "support"))
    import importing

    importing.reach()


with atheris.instrument_imports(include=["dltk"]):
    import fuzzing
from fuzz_values import MEMORY, quiet, round_of

PAGE = 4096


def main(name: str, seconds: str) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    options = [
        f"-max_total_time={seconds}",
        "-seed=1",
        "-max_len=8192",
        "-len_control=0",
        f"-rss_limit_mb={(used + MEMORY) // 2**20}",
        "-timeout=60",
    ]
    test = round_of(fuzzing.TARGETS[name])
    with quiet():
        atheris.Setup([sys.argv[0], *options], test.hypothesis.fuzz_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
