"""Which files of a folder are meant as samples, by what they are called and how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dltk.edge.input.formats import BEGINNING, format_of

__all__ = ["IMAGES", "SOUNDS", "FileKind"]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        noun: what messages call one.
        suffixes: in lower case, of the formats that are read and of others: files so called are meant as samples, too.
        images: whether files that hold an image are of this kind, else those that hold a recording.
    """

    noun: str
    suffixes: Sequence[str]
    images: bool

    @property
    def one(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    def may_be(self, path: Path) -> bool:
        """By its suffix; without one, by how it begins: downloaded files often have none, and neither has a LICENSE."""
        suffix = path.suffix.lower()
        if suffix or not path.is_file():
            return suffix in self.suffixes
        try:
            return self._begins_as(_beginning(path))
        except PermissionError:
            return True  # for the decoder to say so

    def why_ignored(self, path: Path) -> str:
        """Why a file is skipped, and its format if that is recognized."""
        try:
            data = _beginning(path) if path.is_file() else b""
        except OSError:
            data = b""
        found = format_of(data)
        if found is None:
            return f"ignored, not {self.one}"
        if self._begins_as(data):
            return f"ignored, {self.one} by its content but not by its name: {found.kind}"
        return f"ignored, not {self.one}: {found.kind}"

    def _begins_as(self, data: bytes) -> bool:
        found = format_of(data)
        return found is not None and (found.is_image if self.images else found.kind.endswith("recording"))


def _beginning(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(BEGINNING)


IMAGES = FileKind(
    "image",
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif",
        ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jxl", ".ico", ".svg", ".psd",
        ".xcf", ".qoi",
        ".tga", ".pcx", ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".dcm",
    ),
    images=True,
)  # fmt: skip
SOUNDS = FileKind(
    "sound",
    (
        ".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff", ".au",
        ".snd", ".amr", ".caf", ".w64", ".rf64",
    ),
    images=False,
)  # fmt: skip
