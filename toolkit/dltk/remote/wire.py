"""The messages between the two machines: a line of JSON, then as many bytes as it announces."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from dltk.base.errors import InputError
from dltk.base.files import parse_json, write_atomic
from dltk.edge.bundle.signature import require_plain_name

__all__ = ["MARK", "pack", "read_reply", "receive", "send", "unpack"]

MARK = b"dltk-light "  # leads the first answer: what a login shell printed before is passed over
_CHUNK = 1 << 16
_BUDGET = 300_000_000  # bytes of memory that a line may take
_LONGEST = 16_000_000  # bytes of a line


def send(
    stream: IO[bytes],
    head: Mapping[str, Any],
    payload: bytes = b"",
    *,
    mark: bytes = b"",
    sent: Callable[[int], None] = lambda count: None,
) -> None:
    """Write one message; `sent` is called with the number of payload bytes of each piece."""
    line = json.dumps({**head, "bytes": len(payload)}, allow_nan=False)
    stream.write(mark + line.encode() + b"\n")
    for start in range(0, len(payload), _CHUNK):
        piece = payload[start : start + _CHUNK]
        stream.write(piece)
        sent(len(piece))
    stream.flush()


def receive(stream: IO[bytes], *, most: int = 0) -> tuple[dict[str, Any], bytes] | None:
    """The next message and its payload of up to `most` bytes; None if the other process has ended.

    Raises:
        InputError: if the line is no message.
    """
    line = stream.readline(_LONGEST)
    if not line.endswith(b"\n"):
        return None
    head = _head(line, most)
    count = head.pop("bytes")
    payload = stream.read(count)
    return (head, payload) if len(payload) == count else None


def read_reply(line: bytes) -> dict[str, Any]:
    """The content of a message without a payload, from its only line.

    Raises:
        InputError: if it is none.
    """
    return _head(line, 0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files as one uncompressed tar; bundles hardly compress, and a device is slow."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Write the files that `pack` packed into `folder`.

    Raises:
        InputError: if an entry is no regular file with a plain name, or the archive is damaged.
        EnvironmentFault: if the disk is full.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                require_plain_name(entry.name, f"archive: {entry.name!r}")
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise InputError(f"archive: {entry.name}", "must be a regular file")
                write_atomic(folder / entry.name, content.read())
    except tarfile.TarError as fault:
        raise InputError("archive", "must be a sound tar", str(fault)) from fault


def _head(line: bytes, most: int) -> dict[str, Any]:
    head = parse_json(line, "message", budget=_BUDGET)
    if not isinstance(head, dict) or type(head.get("bytes")) is not int or not 0 <= head["bytes"] <= most:
        raise InputError("message", "must state how many bytes follow", head)
    return head
