"""A look at data: all of it is listed, a little of it is read. What is decided from it is decided as for training."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import open_regular, sha256
from dltk.edge.sources.unreadable import reason_of

__all__ = ["GLANCE", "Glance", "Looked"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Looked:
    """A decoded sample, or why it cannot be.

    Attributes:
        raw: () or (n, ...), as the decoder gives it; None where another recipe has looked at it before.
        digest: 32 bytes; empty where there is a fault.
    """

    raw: NDArray[Any] | None
    digest: bytes
    fault: str = ""


@dataclass
class Glance:
    """How much is read, and what was found in it. Samples that were looked at for one recipe are not read again.

    Attributes:
        samples: that are decoded at most.
        letters: of texts that a tokenizer is trained on at most; of more, one is trained on the first `samples` texts.
        hashed: bytes of files, of sizes that others have, too, that are compared at most.
        listed: samples that the last recipe listed, without those that were found unreadable.
        decoded: those of them that were decoded.
        copies: those of them that equal another one.
        is_compared: whether all files were compared with all others.
        files: (kind, path) of what was decoded for the last recipe, "images" or "sounds" for example.
    """

    samples: int = 64
    letters: int = 2_000_000
    hashed: int = 200_000_000
    listed: int = 0
    decoded: int = 0
    copies: int = 0
    is_compared: bool = True
    files: set[tuple[str, Path]] = field(default_factory=set)
    _digests: dict[Path, bytes] = field(default_factory=dict)
    _looked: dict[tuple[str, Path], Looked] = field(default_factory=dict)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Until the block ends, data is prepared with this glance."""
        token = GLANCE.set(self)
        try:
            yield
        finally:
            GLANCE.reset(token)

    def forget(self) -> None:
        """Begin with another recipe."""
        self.listed, self.decoded, self.copies, self.is_compared, self.files = 0, 0, 0, True, set()

    def digests(self, paths: Sequence[Path]) -> tuple[str, ...]:
        """Hexadecimal texts that files have in common only if their contents are equal.

        A file whose size no other has is not read. Where those of equal sizes are more than `hashed` bytes, they count
        as different, and `is_compared` is False.
        """
        sizes = [_size(path) for path in paths]
        often = Counter(size for path, size in {(path, size) for path, size in zip(paths, sizes, strict=True)})
        shared = {path: size for path, size in zip(paths, sizes, strict=True) if often[size] > 1 and size >= 0}
        fresh = [path for path in shared if path not in self._digests]
        self.is_compared = sum(shared[path] for path in fresh) <= self.hashed
        if self.is_compared:
            self._digests |= {path: _digest(path) for path in fresh}
        known = (self._digests.get(path) if path in shared else None for path in paths)
        return tuple(
            (digest or hashlib.sha256(os.fsencode(path)).digest()).hex()
            for path, digest in zip(paths, known, strict=True)
        )

    def digest_of(self, source: Any) -> bytes:
        """32 bytes of what a pool reads: a path that `digests` was given, an array, or a tuple of such and of texts."""
        if isinstance(source, Path):
            return self._digests.get(source) or hashlib.sha256(os.fsencode(source)).digest()
        if isinstance(source, tuple):
            return hashlib.sha256(b"".join(map(self.digest_of, source))).digest()
        if isinstance(source, np.ndarray):
            return hashlib.sha256(f"{source.shape}".encode() + source.tobytes()).digest()
        return bytes.fromhex(sha256(str(source).encode(errors="surrogatepass")))

    def decode(self, kind: str, source: Any, decode: Callable[[], tuple[NDArray[Any], bytes]]) -> Looked:
        """What `decode` makes of a sample of that `kind`, () or (n, ...); of a file only once."""
        key = (kind, source) if isinstance(source, Path) else None
        if key is not None:
            self.files.add(key)
        if key is not None and key in self._looked:
            return self._looked[key]
        try:
            raw, digest = decode()
            found = Looked(raw, digest)
        except InputError as fault:
            found = Looked(None, b"", reason_of(fault))
        if key is not None:
            self._looked[key] = Looked(None, found.digest, found.fault)
        return found

    def looked_at(self, decoded: int, digests: NDArray[np.uint8]) -> None:
        """Keep the figures of one recipe: how many were decoded, and uint8 (n, 32) of those that can be read."""
        self.listed, self.decoded = len(digests), decoded
        self.copies = len(digests) - len(np.unique(digests, axis=0)) if len(digests) else 0


GLANCE: ContextVar[Glance | None] = ContextVar("GLANCE", default=None)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _digest(path: Path) -> bytes:
    hashed = hashlib.sha256()
    try:
        with open_regular(path, follow_links=True) as stream:
            while chunk := stream.read(_CHUNK):
                hashed.update(chunk)
    except (InputError, OSError, ValueError):
        return b""
    return hashed.digest()
