"""Which value of a pixel is which class: found from the values of all masks, or as the user defines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.sources.masking.pixels import MaskPixels

__all__ = ["IGNORED", "MaskReading", "Survey", "class_names", "find_reading"]

IGNORED = 255  # the class number of pixels that are in no loss and no metric
_FEW_COLOURS = 64
_SHOWN = 8


@dataclass(frozen=True)
class MaskReading:
    """Value of a pixel -> class number, or `IGNORED`.

    Attributes:
        classes: of numbers 0..255, or of colours as `colour_number` makes them; empty: numbers are the classes.
        by_colour: whether values are colours.
        note: a sentence about it; empty where numbers are the classes.
    """

    classes: Mapping[int, int]
    by_colour: bool = False
    note: str = ""

    def as_op(self) -> dict[str, Any] | None:
        """The step "masks" of a signature; None where numbers are the classes."""
        if not self.classes:
            return None
        rows = [[value, number] for value, number in sorted(self.classes.items())]
        return {"op": "masks", "by": "colour" if self.by_colour else "number", "classes": rows}

    @classmethod
    def from_op(cls, op: Mapping[str, Any] | None) -> MaskReading:
        """The reading that `as_op` described."""
        if op is None:
            return cls({})
        return cls(dict(op["classes"]), op["by"] == "colour")

    def apply(self, pixels: MaskPixels, path: Path) -> NDArray[np.uint8]:
        """Class numbers, uint8 (H, W).

        Raises:
            InputError: naming file and pixel, if a value is none of the classes.
        """
        values = pixels.colours if self.by_colour else pixels.numbers
        if values is None:
            hint = "Were the masks of training read by number? Give masks of the same kind."
            raise InputError(path, "a mask must be a PNG of class numbers", "colours", hint)
        if not self.classes:
            return np.asarray(values, np.uint8)
        known = np.array(sorted(self.classes), np.int64)
        places = np.minimum(np.searchsorted(known, values), len(known) - 1)
        strange = known[places] != values
        if strange.any():
            row, column = np.argwhere(strange)[0]
            value = int(values[row, column])
            received = f"{self.shown(value)} at column {column}, row {row}"
            raise InputError(path, f"values must be {self.listed(known.tolist())}", received)
        return np.array([self.classes[int(value)] for value in known], np.uint8)[places]

    def shown(self, value: int) -> str:
        """A value, for messages."""
        return f"#{value:06x}" if self.by_colour else str(value)

    def listed(self, values: Sequence[int]) -> str:
        """The first of `values`, for messages."""
        return ", ".join(map(self.shown, values[:_SHOWN])) + (" ..." if len(values) > _SHOWN else "")


class Survey:
    """The values that occur in masks, each with the first file that has it."""

    def __init__(self) -> None:
        self.numbers: dict[int, Path] = {}
        self.colours: dict[int, Path] = {}
        self.without_numbers: Path | None = None
        self.first: dict[bool, Path] = {}  # whether a file is RGB -> the first that is
        self._palette: dict[int, int] = {}
        self.palettes_differ = False

    def add(self, pixels: MaskPixels, path: Path) -> None:
        """Count in the mask at `path`.

        Raises:
            InputError: if there are too many colours for classes.
        """
        self.first.setdefault(pixels.is_rgb, path)
        if pixels.numbers is None:
            self.without_numbers = self.without_numbers or path
            pairs = [(-1, int(colour)) for colour in np.unique(pixels.colours)]
        else:
            numbers, first = np.unique(pixels.numbers, return_index=True)
            flat = pixels.colours.reshape(-1)
            pairs = [(int(number), int(flat[place])) for number, place in zip(numbers, first, strict=True)]
        for number, colour in pairs:
            self.colours.setdefault(colour, path)
            if number >= 0:
                self.numbers.setdefault(number, path)
                self.palettes_differ |= self._palette.setdefault(number, colour) != colour
        if self.without_numbers and len(self.colours) > 256:
            rule = "a mask of colours may have at most 256 in all"
            hint = "Resizing or lossy compression blends colours at borders: export the masks again, as PNG."
            raise InputError(path, rule, f"{len(self.colours)} colours", hint)


def class_names(reading: MaskReading, labels: tuple[str, ...] | None, *, highest: int) -> tuple[str, ...]:
    """`labels`, or the values of the classes; where numbers are the classes, those up to the `highest` in all masks."""
    if labels is not None:
        return labels
    if not reading.classes:
        return tuple(map(str, range(highest + 1)))
    by_class = {number: value for value, number in reading.classes.items() if number != IGNORED}
    return tuple(reading.shown(by_class[number]) for number in sorted(by_class))


def find_reading(
    survey: Survey, labels: tuple[str, ...] | None, colours: Mapping[int, str] | None, *,
    ignore: Sequence[str] = (), numbers: str = "auto",
) -> tuple[MaskReading, tuple[str, ...] | None]:  # fmt: skip
    """The reading of the masks of `survey`, and the labels of its classes, None where they are called by number.

    Args:
        labels: of all numbers from 0, where a file names them.
        colours: colour -> label, where a file gives them.
        ignore: numbers, colours (#rrggbb) or labels that are no class.
        numbers: "auto", "as-is": the numbers are the classes; "ranked": those that occur are, in their order.

    Raises:
        InputError: if several readings are possible, with the setting of each.
    """
    if colours is None and len(survey.first) > 1:
        hint = "data.colours=FILE, with red, green, blue and name of each class, reads both by colour."
        received = f"mode RGB, where {survey.first[False].name} has numbers"
        raise InputError(survey.first[True], "a mask must be a PNG of class numbers as the others are", received, hint)
    if colours is not None or survey.without_numbers is not None or (survey.palettes_differ and numbers == "auto"):
        return _by_colour(survey, labels, colours, ignore)
    left = _ignored_numbers(ignore, labels)
    values = sorted(set(survey.numbers) - left)
    if not values:
        raise InputError("setting data.ignore", "must leave classes", ",".join(ignore))
    whole = left & set(range(len(labels))) if labels is not None and values[-1] < len(labels) else set()
    named = None if labels is None else tuple(label for place, label in enumerate(labels) if place not in whole)
    if labels is not None and values[-1] < len(labels) and numbers != "ranked":
        kept = [value for value in range(len(labels)) if value not in left]
        return _numbered(kept, left, named, ""), named
    is_plain = values[-1] == len(values) - 1 and labels is None
    if (is_plain and numbers != "ranked") or numbers == "as-is":
        if labels is not None:
            raise _strange(survey, values, labels, left)
        return _numbered(list(range(values[-1] + 1)), left, None, ""), None
    starts_at_one = values[0] == 1 and values[-1] == len(values)
    has_gap_of_ignored = values[-1] + 1 == len(values) + len(left & set(range(values[-1])))
    sure = starts_at_one or values == [0, 255] or (labels is None and has_gap_of_ignored)
    fits = labels is None or len(labels) == len(values)
    if not fits or not (sure or numbers == "ranked"):
        raise _strange(survey, values, labels, left)
    return _numbered(values, left, labels, "masks: the numbers {} are the classes 0 to {}"), labels


def _numbered(values: Sequence[int], left: set[int], labels: tuple[str, ...] | None, note: str) -> MaskReading:
    if list(values) == list(range(len(values))) and not left:
        return MaskReading({})
    if len(values) >= IGNORED:
        raise InputError("masks", f"may have at most {IGNORED - 1} classes beside ignored pixels", len(values))
    classes = {value: number for number, value in enumerate(values)} | dict.fromkeys(left, IGNORED)
    made = MaskReading(classes)
    words = note.format(made.listed(list(values)), len(values) - 1) if note else "masks"
    ignored = f"ignored: {made.listed(sorted(left))}" if left else ""
    return MaskReading(
        classes,
        note=": ".join(filter(None, ("masks", ignored))) if not note else "; ".join(filter(None, (words, ignored))),
    )


def _strange(survey: Survey, values: Sequence[int], labels: tuple[str, ...] | None, left: set[int]) -> InputError:
    """The error for numbers that are not 0, 1, 2 ... and the settings that may read them."""
    shown = MaskReading({}).listed(list(values))
    count = len(labels) if labels is not None else None
    hints = []
    for value in (255, 0):
        rest = [each for each in values if each != value]
        ends = rest and (rest[-1] < (count or len(rest)) or (rest[0] == 1 and rest[-1] == len(rest) == (count or 0)))
        if value in values and ends and len(rest) > 1:
            given = ",".join(map(str, sorted({*left, value})))
            hints.append(f"data.ignore={given} leaves {value} out of training and metrics.")
    if count is None or count == len(values):
        hints.append(f"data.numbers=ranked makes the {len(values)} numbers classes, in their order.")
    if count is not None:
        wrong = next((each for each in values if each >= count), values[-1])
        received = f"{wrong}, with the numbers {shown} in all masks"
        return InputError(survey.numbers[wrong], f"class numbers must lie in 0..{count - 1}", received, " ".join(hints))
    hints = hints or ["data.classes=FILE names the class of each number, one per line from 0."]
    return InputError(survey.numbers[values[-1]], "class numbers must be 0, 1, 2 and so on", shown, " ".join(hints))


def _ignored_numbers(ignore: Sequence[str], labels: tuple[str, ...] | None) -> set[int]:
    found = set()
    for text in ignore:
        if labels is not None and text in labels:
            found.add(labels.index(text))
        elif text.isdecimal() and len(text) < 4 and int(text) < 256:
            found.add(int(text))
        else:
            raise InputError("setting data.ignore", "must be numbers 0..255 or labels", text)
    return found


def _by_colour(
    survey: Survey, labels: tuple[str, ...] | None, table: Mapping[int, str] | None, ignore: Sequence[str]
) -> tuple[MaskReading, tuple[str, ...]]:
    shown = MaskReading({}, by_colour=True)
    file = survey.without_numbers or next(iter(survey.colours.values()))
    found = sorted(survey.colours)
    if table is None:
        if labels is not None:
            hint = "data.colours=FILE gives them: lines of red, green, blue and a name."
            raise InputError(
                file, "colours and a file of labels need the colour of each label", shown.listed(found), hint
            )
        if len(found) > _FEW_COLOURS:
            hint = "data.colours=FILE gives the colours of classes; if colours are blended, export the masks again."
            raise InputError(
                file, f"masks without a table of colours may have {_FEW_COLOURS}", f"{len(found)} colours", hint
            )
        table = {value: shown.shown(value) for value in found}
    left = {value for value, label in table.items() if label in ignore or shown.shown(value) in ignore}
    unknown = set(ignore) - {table[value] for value in left} - set(map(shown.shown, left))
    extra = {value for text in unknown for value in found if shown.shown(value) == text}
    if wrong := sorted(unknown - set(map(shown.shown, extra))):
        raise InputError("setting data.ignore", f"must be colours or labels: {', '.join(table.values())}", wrong[0])
    strange = [value for value in found if value not in table and value not in extra]
    if strange:
        given = ",".join((*ignore, *map(shown.shown, strange[:_SHOWN])))
        hint = f"Add it to the file, or leave it out of training and metrics with data.ignore={given}."
        raise InputError(
            survey.colours[strange[0]], "the table of colours must have each colour", shown.shown(strange[0]), hint
        )
    kept = [value for value in table if value not in left]
    classes = {value: number for number, value in enumerate(kept)} | dict.fromkeys(left | extra, IGNORED)
    if len(kept) >= IGNORED:
        raise InputError(file, f"masks of colours may have at most {IGNORED - 1} classes", len(kept))
    named = ", ".join(
        f"{shown.shown(value)} {table[value]}" if table[value][0] != "#" else table[value] for value in kept[:_SHOWN]
    )
    ignored = f"; ignored: {shown.listed(sorted(left | extra))}" if left or extra else ""
    return MaskReading(classes, True, f"masks: {len(kept)} colours are the classes {named}{ignored}"), tuple(
        table[value] for value in kept
    )
