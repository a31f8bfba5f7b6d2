"""What a file is by how it begins, whatever it is called, and how an image that dltk reads is made of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BEGINNING", "Format", "format_of"]

BEGINNING = 512  # bytes that are enough to tell


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: as people call it, with its article: "a TIFF image".
        remedy: a sentence: how an image that dltk reads is made of it; empty where it is one.
        is_image: whether it holds an image.
    """

    name: str
    remedy: str = ""
    is_image: bool = True

    @property
    def kind(self) -> str:
        """The name without its article."""
        return self.name.partition(" ")[2]


_CONVERT = "Save it as PNG or JPEG."
_FRAMES = "Take still images out of it: ffmpeg -i VIDEO -vf fps=1 frame-%05d.png."
_RAW = "Develop it: save it as JPEG or PNG with the camera's software."

_WAV = "Save it as 16-bit PCM WAV, mono."

HEIC = Format("a HEIC image")
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", Format("a JPEG image")),
    (b"\x89PNG\r\n\x1a\n", Format("a PNG image")),
    (b"GIF8", Format("a GIF image")),
    (b"BM", Format("a BMP image")),
    (b"II*\0\x10\0\0\0CR", Format("a raw photo (CR2)", _RAW)),
    (b"IIU\0", Format("a raw photo (RW2)", _RAW)),
    (b"IIRO", Format("a raw photo (ORF)", _RAW)),
    (b"FUJIFILMCCD-RAW", Format("a raw photo (RAF)", _RAW)),
    (b"II*\0", Format("a TIFF image or raw photo", _CONVERT)),  # DNG, NEF and ARW, too; plain ones are read
    (b"MM\0*", Format("a TIFF image or raw photo", _CONVERT)),
    (b"II+\0", Format("a BigTIFF image", _CONVERT)),
    (b"MM\0+", Format("a BigTIFF image", _CONVERT)),
    (b"\0\0\0\x0cjP  ", Format("a JPEG 2000 image", _CONVERT)),
    (b"\xff\x4f\xff\x51", Format("a JPEG 2000 image", _CONVERT)),
    (b"\0\0\0\x0cJXL ", Format("a JPEG XL image", _CONVERT)),
    (b"\xff\x0a", Format("a JPEG XL image", _CONVERT)),
    (b"\0\0\x01\0", Format("an ICO image", _CONVERT)),
    (b"8BPS", Format("a Photoshop image", _CONVERT)),
    (b"gimp xcf", Format("a GIMP image", _CONVERT)),
    (b"DDS ", Format("a DDS image", _CONVERT)),
    (b"v/1\x01", Format("an OpenEXR image", _CONVERT)),
    (b"#?RADIANCE", Format("a Radiance HDR image", _CONVERT)),
    (b"qoif", Format("a QOI image", _CONVERT)),
    (b"fLaC", Format("a FLAC recording", _WAV, is_image=False)),
    (b"OggS", Format("an Ogg recording or video", _WAV, is_image=False)),
    (b"ID3", Format("an MP3 recording", _WAV, is_image=False)),
    (b"\xff\xfb", Format("an MP3 recording", _WAV, is_image=False)),
    (b"\xff\xf3", Format("an MP3 recording", _WAV, is_image=False)),
    (b"FORM", Format("an AIFF recording", _WAV, is_image=False)),
    (b"%PDF", Format("a PDF document", "Save its pages as PNG.", is_image=False)),
    (b"%!PS", Format("a PostScript document", "Save its pages as PNG.", is_image=False)),
    (b"\x1aE\xdf\xa3", Format("a Matroska or WebM video", _FRAMES, is_image=False)),
    (b"PK\x03\x04", Format("a ZIP archive", "Unpack it.", is_image=False)),
    (b"\x1f\x8b", Format("a gzip archive", "Unpack it.", is_image=False)),
    (b"7z\xbc\xaf'\x1c", Format("a 7z archive", "Unpack it.", is_image=False)),
    (b"Rar!", Format("a RAR archive", "Unpack it.", is_image=False)),
    (b"\x93NUMPY", Format("a NumPy array", "Give the array itself, or save it as PNG.", is_image=False)),
    (b"version https://git-lfs", Format("a Git LFS pointer", "Fetch the file itself: git lfs pull.", is_image=False)),
    (b"\0\x05\x16\x07", Format("a note of macOS about a file", "Remove it.", is_image=False)),
)
_RIFF = {
    b"WEBP": Format("a WebP image"),
    b"WAVE": Format("a WAV recording", "Give it to a model that takes recordings.", is_image=False),
    b"AVI ": Format("an AVI video", _FRAMES, is_image=False),
}
_BRANDS: tuple[tuple[tuple[bytes, ...], Format], ...] = (  # of ISO base media files; the first that a file names counts
    ((b"avif", b"avis"), Format("an AVIF image", _CONVERT)),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC),
    ((b"crx ",), Format("a raw photo (CR3)", _RAW)),
    ((b"mif1", b"msf1", b"mif2"), HEIC),
    ((b"qt  ",), Format("a QuickTime video", _FRAMES, is_image=False)),
    ((b"M4A ", b"M4B "), Format("an MPEG-4 recording", _WAV, is_image=False)),
)
_VIDEO = Format("an MPEG-4 video", _FRAMES, is_image=False)
_SVG = Format("an SVG drawing", "Render it: save it as PNG.")
_HTML = Format("a web page", "Download the image itself.", is_image=False)
_DICOM = Format("a DICOM image", _CONVERT)


def format_of(data: bytes) -> Format | None:
    """The format of a file that begins with `data`, `BEGINNING` bytes or all there are; None where nothing is known."""
    if data[4:8] == b"ftyp":
        return _media(data)
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[128:132] == b"DICM":
        return _DICOM
    for magic, found in _MAGIC:
        if data.startswith(magic) and (magic != b"BM" or len(data) < 10 or data[6:10] == bytes(4)):
            return found
    return _markup(data[:BEGINNING].lstrip(b"\xef\xbb\xbf \t\r\n").lower())


def _media(data: bytes) -> Format:
    size = int.from_bytes(data[:4], "big")
    box = data[8 : min(size, BEGINNING)]
    brands = [box[:4], *(box[place : place + 4] for place in range(8, len(box) - 3, 4))]
    for known, found in _BRANDS:
        if set(known) & set(brands):
            return found
    return _VIDEO


def _markup(text: bytes) -> Format | None:
    if text.startswith((b"<!doctype html", b"<html")):
        return _HTML
    if text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text:
        return _SVG
    return None
