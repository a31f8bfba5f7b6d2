"""Which files of a folder are meant as samples, by what they are called and how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PICTURES", "SOUNDS", "FileKind"]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        noun: what messages call one.
        suffixes: in lower case, of the formats that are read and of others: files so called are meant as samples, too.
        beginnings: how the formats that are read begin, for files whose name has no suffix.
    """

    noun: str
    suffixes: Sequence[str]
    beginnings: tuple[bytes, ...]

    @property
    def ignored(self) -> str:
        """Why another file is passed over."""
        return f"ignored, not a {self.noun}"

    def may_be(self, path: Path) -> bool:
        """By its suffix; without one, by how it begins: downloaded files often have none, and neither has a LICENSE."""
        suffix = path.suffix.lower()
        if suffix or not path.is_file():
            return suffix in self.suffixes
        try:
            with path.open("rb") as stream:
                return stream.read(8).startswith(self.beginnings)
        except PermissionError:
            return True  # for the decoder to say so


PICTURES = FileKind(
    "picture",
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif",
        ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpf", ".jxl", ".ico", ".svg", ".psd", ".xcf",
        ".tga", ".pcx", ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".dcm",
    ),
    (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM"),
)  # fmt: skip
SOUNDS = FileKind(
    "sound",
    (
        ".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff", ".au",
        ".snd", ".amr", ".caf", ".w64", ".rf64",
    ),
    (b"RIFF",),
)  # fmt: skip
