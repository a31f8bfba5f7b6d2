"""The bytes of a table: unpacked, and as UTF-8, whatever they were written in."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dltk.base.archives import ARCHIVE_FAULTS, MOST_EXPANSION, SMALL, require_modest, require_modest_archive
from dltk.base.errors import InputError
from dltk.base.files import read_capped, resolved
from dltk.base.lazy import installed_only
from dltk.edge.sources.tables.faults import Questions

__all__ = ["TABLE_SUFFIXES", "Contents", "contents_of", "decoded", "is_plain_text", "is_table_file"]

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx")
_PACKED = (".gz", ".zip")
_TEXTS = (*TABLE_SUFFIXES, ".txt", ".data", ".dat")  # what the one file in an archive may be called
_MAX_BYTES = 1_000_000_000
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PIECE = 1 << 20  # bytes that are decoded at a time
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Contents:
    """An unpacked file.

    Attributes:
        suffix: of the file itself, or of the one in the archive, in small letters.
        data: its bytes.
        packing: "gzip", "zip" or "".
    """

    suffix: str
    data: bytes
    packing: str = ""


def is_table_file(path: str | Path) -> bool:
    """Whether a file is a table by its name."""
    return _suffix(str(path)) in TABLE_SUFFIXES or Path(path).suffix.lower() in _PACKED


def is_plain_text(first: bytes, path: Path) -> bool:
    """Whether a file that begins with `first` is a text of lines whose ends are the byte 10: not packed, no UTF-16."""
    known = (_GZIP, _ZIP, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return not first.startswith(known) and _suffix(path.name) not in (".json", ".parquet", ".xlsx")


def contents_of(path: Path) -> Contents:
    """The unpacked contents of the table at `path`.

    Raises:
        InputError: if it is no regular file, too large, or an archive that is damaged or holds not one table.
    """
    if os.path.isdir(path):  # which a name that cannot be is not
        raise InputError(path, "must be a .csv", "a folder", "Give the file in it.")
    data = read_capped(resolved(path), _MAX_BYTES)
    suffix = _suffix(path.name)
    if data.startswith(_GZIP):
        return Contents(suffix, _gunzipped(data, path), "gzip")
    if data.startswith(_ZIP) and suffix != ".xlsx":
        return _unzipped(data, path)
    return Contents(suffix, data)


def decoded(data: bytes, path: Path, encoding: str, questions: Questions | None = None) -> tuple[bytes, str]:
    """`data` as UTF-8 without a byte order mark, and the encoding it was found to be in.

    Args:
        encoding: one of `ENCODINGS`, or "auto".
        questions: is asked where two encodings may be meant, if one is "auto".

    Raises:
        InputError: naming the line of a byte that does not fit, or of a NUL.
    """
    if encoding == "auto" and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    if encoding in ("auto", "utf-8"):
        is_marked = data.startswith(_BOM)
        data = data.removeprefix(_BOM)
        place = _first_fault(data)
        if place is not None:
            is_utf8 = encoding == "utf-8" or questions is None or is_marked or b"\0" in data
            found = "utf-8" if is_utf8 or questions is None else _guessed(data, path, place, questions)
            if found == "utf-8":
                raise _unreadable(data, path, place, "UTF-8")
            encoding = found
        else:
            encoding = "utf-8"
    if encoding != "utf-8":
        data = _transcoded(data, path, encoding)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path}, line {line}", "must not hold a NUL character")
    return data, encoding


@installed_only
def _guessed(data: bytes, path: Path, place: int, questions: Questions) -> str:
    from dltk.edge.sources.tables.encoding import guess

    return guess(data, path, place, questions)


def _suffix(name: str) -> str:
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _PACKED else path.suffix


def _gunzipped(data: bytes, path: Path) -> bytes:
    limit = min(_MAX_BYTES, max(SMALL, MOST_EXPANSION * len(data)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            found = stream.read(limit + 1)
    except ARCHIVE_FAULTS as fault:
        raise InputError(path, "must be a whole gzip file", str(fault), "Get or pack it again.") from fault
    require_modest(path, len(found), len(data), _MAX_BYTES)
    return found


def _unzipped(data: bytes, path: Path) -> Contents:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [member.filename for member in archive.infolist() if not _is_passed_over(member)]
            if "xl/workbook.xml" in names:
                return Contents(".xlsx", data)
            tables = [name for name in names if _suffix(name) in _TEXTS]
            if len(tables) != 1:
                received = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "") or "no file"
                raise InputError(path, "a zip must hold one table", received, "Unpack it and give the file.")
            require_modest_archive(archive, path, packed=len(data), limit=_MAX_BYTES)
            return Contents(_suffix(tables[0]), archive.read(tables[0]), "zip")
    except ARCHIVE_FAULTS as fault:
        raise InputError(path, "must be a whole zip file", str(fault), "Get or pack it again.") from fault


def _is_passed_over(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    return member.is_dir() or path.name.startswith(".") or path.parts[:1] == ("__MACOSX",)


def _first_fault(data: bytes) -> int | None:
    """The place of the first byte that is not UTF-8; None where all are. Decodes by pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data) + 1, _PIECE):
        left = len(decoder.getstate()[0])  # bytes of a letter that began in the piece before
        try:
            decoder.decode(data[start : start + _PIECE], final=start + _PIECE > len(data))
        except UnicodeDecodeError as fault:
            return start - left + fault.start
    return None


def _transcoded(data: bytes, path: Path, encoding: str) -> bytes:
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeDecodeError as fault:
        raise _unreadable(data, path, fault.start, encoding) from fault
    except UnicodeEncodeError as fault:  # a lone half of a pair, which some encodings can write
        raise InputError(path, f"must be {encoding}", ascii(fault.object[fault.start])) from fault


def _unreadable(data: bytes, path: Path, place: int, encoding: str) -> InputError:
    line = data.count(b"\n", 0, place) + 1
    byte = f"byte 0x{data[place]:02x}" if place < len(data) else "an odd number of bytes"
    return InputError(f"{path}, line {line}", f"must be {encoding}", byte, "Save it as UTF-8.")
