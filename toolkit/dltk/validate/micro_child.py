"""Run a TFLite file in TensorFlow Lite Micro's interpreter: the program of a child process.

`python -I micro_child.py FOLDER` reads `model` and `inputs.npz` (stored tensors, "0", "1", ..., each (n, ...)) from
FOLDER and leaves `outputs.npz` and `arena` there. The interpreter names its faults on the error stream of C, and a bad
model may take its process with it: hence the file `log`, and a process of its own. Nothing of dltk is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

_ROOM = 1 << 28  # bytes, far more than any microcontroller has; what is not used is never touched
_ALIGNMENT = 16


def main(folder: Path, outputs: int) -> None:
    """Run `model` in `folder` on its inputs, sample by sample; write `outputs.npz` and `arena`, in bytes, there.

    Args:
        folder: has `model` and `inputs.npz`; the interpreter's messages go to the file `log` in it.
        outputs: how many output tensors the model has, kept as "0", "1", ..., each (n, ...).
    """
    os.dup2(os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    model = (folder / "model").read_bytes()
    with np.load(folder / "inputs.npz", allow_pickle=False) as arrays:
        inputs = [arrays[str(place)] for place in range(len(arrays.files))]
    _answer(_open(model, _ROOM), inputs, 0, outputs)  # what is wrong with the model comes out here, and once
    arena = _smallest(lambda size: _succeeds_in_fork(lambda: _answer(_open(model, size), inputs, 0, outputs)))
    exact = _open(model, arena)  # what counts is that it runs in so much: the answers come from there
    answers = [_answer(exact, inputs, sample, outputs) for sample in range(len(inputs[0]))]
    columns: dict[str, Any] = {str(i): np.concatenate([answer[i] for answer in answers]) for i in range(outputs)}
    np.savez(folder / "outputs.npz", **columns)
    (folder / "arena").write_text(str(arena))


def _open(model: bytes, arena: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(model, arena_size=arena)


def _smallest(fits: Callable[[int], bool]) -> int:
    """The smallest number of bytes, a multiple of 16, that `fits`; the interpreter's own count leaves out planning."""
    low, high = 0, _ALIGNMENT
    while not fits(high):
        low, high = high, 2 * high
    while high - low > _ALIGNMENT:
        middle = (low + high) // (2 * _ALIGNMENT) * _ALIGNMENT
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _succeeds_in_fork(attempt: Callable[[], object]) -> bool:
    """Whether `attempt` ends well. An interpreter without enough memory may end its process, at exit too."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        attempt()
        os._exit(0)
    except BaseException:  # nothing of the parent's may run here
        os._exit(1)


def _answer(interpreter: Any, inputs: list[Any], sample: int, outputs: int) -> list[Any]:
    interpreter.reset()  # state of recurrent layers: samples must not see each other
    for place, tensors in enumerate(inputs):
        interpreter.set_input(np.ascontiguousarray(tensors[sample : sample + 1]), place)
    interpreter.invoke()
    return [interpreter.get_output(place) for place in range(outputs)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
