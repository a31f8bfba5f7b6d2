"""What C++ libraries print on their own goes off the screen; what dltk and Python say stays on it."""

from __future__ import annotations

import io
import logging
import os
import sys

__all__ = ["hide_native_log"]


def hide_native_log() -> None:
    """Give Python's stderr a descriptor of its own and point descriptor 2 at nothing.

    TensorFlow and the runtimes write dozens of lines there that no environment variable stops. `DLTK_NATIVE_LOG=1`
    shows them, for a report of a crash inside a runtime. TensorFlow's own logger in Python keeps to errors: its
    warnings are advice about retracing, to those who write TensorFlow.
    """
    if not os.environ.get("DLTK_NATIVE_LOG"):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if os.environ.get("DLTK_NATIVE_LOG") or not hasattr(sys.stderr, "fileno"):
        return
    try:
        own = os.dup(2)
    except OSError:  # started without a stderr: there is nothing to hide
        return
    sys.stderr = io.TextIOWrapper(
        os.fdopen(own, "wb", buffering=0), encoding="utf-8", errors="backslashreplace", write_through=True
    )
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
