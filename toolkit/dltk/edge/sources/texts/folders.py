"""Texts as files: one subfolder per class of .txt files, also inside folders of splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped, resolved
from dltk.edge.sources.kinds import FileKind
from dltk.edge.sources.listing import Layout, Listing, list_files
from dltk.edge.sources.tables import Questions, decoded

__all__ = ["TEXTS", "holds_class_folders", "list_text_files", "read_text_files"]

_MAX_BYTES = 100_000_000  # of one text
_MAX_TOTAL = 1_000_000_000
_MAX_FILES = 1_000_000
_SEEN = 1 << 20  # bytes by which an encoding is found
_UNLABELLED = ("unsup", "unsupervised", "unlabeled", "unlabelled", "nolabel", "unknown")


@dataclass(frozen=True)
class _TextKind(FileKind):
    def may_be(self, path: Path) -> bool:
        """By its suffix; or by a name of digits alone, as those of news groups and mailing lists are."""
        return path.suffix.lower() in self.suffixes or (path.name.isdigit() and path.is_file())


TEXTS = _TextKind("text", (".txt", ".text"), images=False)


def holds_class_folders(folder: Path) -> bool:
    """Whether there are folders in `folder`, without those of tools, so that it may be a data set of text files."""
    return any(entry.is_dir() and not entry.name.startswith((".", "__")) for entry in folder.iterdir())


def list_text_files(folder: Path, labels: tuple[str, ...], *, least_classes: int, ask: bool) -> Listing:
    """The files of `folder`; with `ask`, a folder that seems to hold texts without labels is asked about.

    Args:
        labels: classes to read; none: all.

    Raises:
        InputError: if `folder` has no such layout, or a class may be unlabelled texts.
    """
    found = list_files(folder, TEXTS, least_classes=least_classes, layout=Layout(known=labels))
    if len(found.paths) > _MAX_FILES:
        raise InputError(folder, f"may hold at most {_MAX_FILES} texts", len(found.paths))
    if ask and not labels:
        _require_labels(found, folder)
    return found


def read_text_files(listing: Listing, encoding: str) -> list[tuple[str, str]]:
    """(text, encoding it is in) of each file.

    Args:
        encoding: of those that are no UTF-8; "auto" or "utf-8": the one that their bytes can be.

    Raises:
        InputError: naming a file that cannot be read, or the encodings that it may be in; or if they are too large.
    """
    found, total = list[bytes](), 0
    for path in listing.paths:
        found.append(read_capped(resolved(path), _MAX_BYTES))
        total += len(found[-1])
        if total > _MAX_TOTAL:
            raise InputError(path, f"all texts together may have at most {_MAX_TOTAL} bytes", total)
    others = [place for place, data in enumerate(found) if encoding == "utf-16" or not _is_utf8(data)]
    if others and encoding in ("auto", "utf-8"):
        questions = Questions()
        joined = b"\n".join(found[place] for place in others)[:_SEEN]
        _, encoding = decoded(joined, listing.paths[others[0]], "auto", questions)
        questions.raise_if_any()
    of_file = dict.fromkeys(range(len(found)), "utf-8") | dict.fromkeys(others, encoding)
    read = (decoded(data, listing.paths[place], of_file[place]) for place, data in enumerate(found))
    return [(text.decode("utf-8"), used) for text, used in read]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _require_labels(found: Listing, folder: Path) -> None:
    """Raise InputError if one class may be no class: it is called so, or train alone has it, and more than the rest."""
    counts = Counter(name for (name,) in found.classes)
    tested = {name for (name,), split in zip(found.classes, found.splits, strict=True) if split == "test"}
    for label, count in counts.items():
        others = [name for name in found.labels if name != label]
        alone = bool(tested) and label not in tested and count > max(counts[name] for name in others)
        if len(others) > 1 and (label.casefold() in _UNLABELLED or alone):
            rule = f"the {count} texts in {label}/ may be a class, or texts without a label"
            hint = f"Set data.labels={','.join(others)} to leave them out, or data.labels={','.join(found.labels)}."
            raise InputError(f"data {folder}", rule, ", ".join(found.labels), hint)
