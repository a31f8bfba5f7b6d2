"""What a label may look like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from dltk.base.errors import InputError

__all__ = ["check_label", "check_labels", "split_name", "split_names"]

_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trainset", "trainingset"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "valset", "validationset", "devset"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "testingset"), "test"),
}
# Folders so called beside those of splits hold files that nobody labelled.
_UNLABELLED = dict.fromkeys(("pred", "predict", "prediction", "unlabeled", "unlabelled"), "unlabelled")
_EMPTY_WORDS = ("set", "data", "dataset", "split", "images", "imgs", "files", "samples")  # of train_set, test-images
# They turn the direction of text: what is shown is not what is there.
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def split_name(text: str) -> str | None:
    """ "train", "validation" or "test" for any of the usual spellings, in any case; None for another word."""
    split, rest = _split_words(text, _SPLIT_WORDS)
    return None if rest else split


def split_names(names: Sequence[str]) -> dict[str, str | None]:
    """The split of each of `names`, of folders that lie side by side; "unlabelled" for those of no labels.

    seg_train and seg_test are splits, too: what they have in common names the data set. Beside no split, a folder is
    never unlabelled.
    """
    found = {name: _split_words(name, _SPLIT_WORDS | _UNLABELLED) for name in names}
    whole = {rest for split, rest in found.values() if split in _SPLIT_WORDS.values() and not rest}
    for common in {rest for split, rest in found.values() if split and rest}:
        splits = {split for split, rest in found.values() if rest == common and split != "unlabelled"}
        if len(splits - {None}) > 1:
            whole.add(common)
    return {name: split if split and rest in whole else None for name, (split, rest) in found.items()}


def _split_words(text: str, known: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """The split that a word of `text` means, and its other words; None where not exactly one word means one."""
    words = [word for word in re.split(r"[\W_]+", text.casefold()) if word and word not in _EMPTY_WORDS]
    meant = [word for word in words if word in known]
    if len(meant) != 1:
        return None, ()
    return known[meant[0]], tuple(word for word in words if word != meant[0])


def check_labels(names: Iterable[str], where: object, *, least: int = 2) -> tuple[str, ...]:
    """The distinct labels in Unicode NFC, sorted by code point.

    Raises:
        InputError: if fewer than `least` remain, two differ only in how Unicode writes them, or one is empty, starts or
            ends with a space, holds a control character, or looks like a path.
    """
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        label = check_label(name, where)
        if label in found:
            rule = "labels must differ in more than their Unicode form (NFC)"
            raise InputError(where, rule, f"{found[label]!a} and {name!a}", "Give both the same spelling.")
        found[label] = name
    if len(found) < least:
        only = next(iter(found), None)
        wanted = "two classes" if least > 1 else "one class"
        raise InputError(where, f"needs at least {wanted}", "none" if only is None else f"only {only!r}")
    return tuple(sorted(found))


def check_label(name: str, where: object) -> str:
    """One label in Unicode NFC.

    Raises:
        InputError: naming `where`, if it is empty, starts or ends with a space, holds a control character or one that
            turns the direction of text, or looks like a path.
    """
    label = unicodedata.normalize("NFC", name)
    if not label or label != label.strip():
        raise InputError(where, "a label must not be empty, nor start or end with a space", repr(label))
    if "/" in label or "\\" in label or label in (".", ".."):
        raise InputError(where, "a label must not look like a path", label, "Are path and label the wrong way round?")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS for letter in label):
        raise InputError(where, "a label must not hold control characters or surrogates", ascii(label))
    return label
