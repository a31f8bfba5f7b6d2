"""What a machine at the other end may cost this one: so many seconds of silence, so many bytes of chatter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["LastWords", "Patience"]

_KEPT, _PIECE = 16_000, 65_536  # bytes of stderr that are kept, and read at a time


class LastWords:
    """Reads a stream to its end, so that its writer never waits, and keeps the last few kilobytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def line(self, seconds: float) -> str:
        """The last line that was written, once the stream ends or `seconds` are over."""
        self._thread.join(seconds)
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "no word"

    def close(self, seconds: float) -> None:
        """Wait up to `seconds` for the end of the stream, and close it; one that others hold open ends with them."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._stream.close()

    def _read(self) -> None:
        try:
            while piece := self._stream.read1(_PIECE):  # type: ignore[attr-defined]  # a pipe is a BufferedReader
                self._kept = (self._kept + piece)[-_KEPT:]
        except (OSError, ValueError):  # it was closed
            return


class Patience:
    """Ends a connection once nothing came through it for `silent` seconds, or after `longest` seconds in all.

    Attributes:
        lost: whether it came to that.
    """

    def __init__(self, silent: float, longest: float, end: Callable[[], object]) -> None:
        self._silent, self._longest, self._end, self.lost = silent, longest, end, False
        self._heard = self._start = time.monotonic()

    def note_sign_of_life(self) -> None:
        """Something came through."""
        self._heard = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as the block runs."""
        self._heard = self._start = time.monotonic()
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        while True:
            now = time.monotonic()
            left = min(self._heard + self._silent, self._start + self._longest) - now
            if left <= 0:
                self.lost = True
                self._end()
                return
            if done.wait(left):
                return
