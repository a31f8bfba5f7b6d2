"""HEIC images, as phones write them: decoded by pillow-heif (the extra `heic`), on a workstation and a device alike.

The file's own turns and mirrorings (ISO/IEC 23008-12: irot, imir) are applied, and its EXIF orientation, which repeats
them, is not. Of several images it is the primary one. Ten or twelve bits become eight.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.files import open_regular
from dltk.base.install import pip_extra
from dltk.edge.input.formats import BEGINNING, HEIC, format_of

__all__ = ["decoder_version", "open_heic", "require_decoder"]

_SUFFIXES = (".heic", ".heif", ".hif")


def open_heic(data: bytes, where: str) -> Any:
    """The file as pillow-heif opens it: `size` is known, nothing is decoded before `to_pillow`.

    Raises:
        EnvironmentFault: if pillow-heif is missing.
    """
    try:
        from pillow_heif import open_heif
    except ImportError as fault:
        raise _missing(where) from fault
    return open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)


def require_decoder(paths: Iterable[Path]) -> None:
    """Raise EnvironmentFault if a HEIC image is among `paths`, by name and content, and cannot be decoded here."""
    if find_spec("pillow_heif") is not None:
        return
    for path in paths:
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            with open_regular(path, follow_links=True) as stream:
                if format_of(stream.read(BEGINNING)) is HEIC:
                    raise _missing(str(path))


def decoder_version() -> str | None:
    """Of pillow-heif; None where it is not installed."""
    try:
        return metadata.version("pillow-heif")
    except metadata.PackageNotFoundError:
        return None


def _missing(where: str) -> EnvironmentFault:
    hint = f"Run `{pip_extra('heic')}`, or save it as JPEG."
    return EnvironmentFault(where, "is a HEIC image, which is read with the package pillow-heif", hint=hint)
