"""Which columns of a table hold texts and labels, where the names that were asked for are not there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from dltk.base.errors import InputError, unknown_name_hint
from dltk.edge.sources.tables import Table

__all__ = ["LABEL", "TEXT", "find_text_columns"]

TEXT, LABEL = "text", "label"  # what the columns are called where nothing else was asked for

_TEXTS = (
    "texts", "review", "reviews", "reviewtext", "sentence", "sentences", "message", "messages", "content", "contents",
    "comment", "comments", "commenttext", "tweet", "tweettext", "body", "utterance", "query", "question", "document",
    "description", "headline", "sms", "email", "post", "phrase", "statement", "abstract", "article", "text",
)  # fmt: skip
_LABELS = (
    "labels", "class", "classes", "classname", "target", "targets", "sentiment", "polarity", "category", "categories",
    "intent", "topic", "emotion", "labelname", "airlinesentiment", "label",
)  # fmt: skip
_SAMPLED = 2_000  # rows that are looked at
_WORDS = 2.5  # words of a cell, on the mean, from which a column holds texts
_DIFFERENT = 0.5  # share of different cells from which a column holds texts
_MOST_LABELS = 200
_FEWEST_EACH = 2.0  # rows of a label, on the mean
_SHOWN = 6


def find_text_columns(table: Table, text: str = TEXT, label: str = LABEL) -> tuple[str, str]:
    """The names of the columns of texts and labels: as asked for, else the only ones that can be meant.

    A column can be meant by its name (review, sentence ...; sentiment, category ...), or else by its cells: sentences
    that hardly recur, and few values that do.

    Args:
        text, label: names that were asked for; where the default is not there, the column is looked for.

    Raises:
        InputError: naming the columns that may be meant, for texts and labels at once, if these are not one each.
    """
    for name, default in ((text, TEXT), (label, LABEL)):
        if name not in table.header and name != default:
            table.column(name)  # refused, with the nearest name
    texts = [text] if text in table.header else _texts(table, label)
    labels = [label] if label in table.header else _labels(table, texts)
    if len(texts) == 1 and len(labels) == 1:
        return texts[0], labels[0]
    wanted, hints = [], []
    for key, found, default in (("text", texts, text), ("label", labels, label)):
        if len(found) == 1:
            continue
        wanted.append(repr(default))
        others = found or [name for name in table.header if name not in (*texts, *labels)]
        hints += [" or ".join(f"data.{key}={name}" for name in others[:_SHOWN])] if others else []
    hint = f"Set {' and '.join(hints)}." if hints else unknown_name_hint(label, table.header)
    rule = f"needs a column {' and a column '.join(wanted)}, or their names"
    raise InputError(table.top, rule.replace("their names", "its name") if len(wanted) == 1 else rule,
                     ", ".join(table.header[: 2 * _SHOWN]), hint)  # fmt: skip


def _texts(table: Table, label: str) -> list[str]:
    others = [name for name in table.header if name != label]
    named = [name for name in others if _plain(name) in _TEXTS]
    written = [name for name in named if not _is_short(_sampled(table, name))]
    return written or named or [name for name in others if _is_written(_sampled(table, name))]


def _labels(table: Table, texts: Sequence[str]) -> list[str]:
    others = [name for name in table.header if name not in texts and _plain(name) not in _TEXTS]
    few = [name for name in others if _has_few(table.column(name))]
    return [name for name in few if _plain(name) in _LABELS] or few


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _sampled(table: Table, name: str) -> list[str]:
    cells = table.column(name)
    return list(islice(cells, 0, None, max(1, len(cells) // _SAMPLED)))


def _is_written(cells: Sequence[str]) -> bool:
    """Whether these are sentences: of several words, and hardly one like another."""
    return not _is_short(cells) and len(set(cells)) >= _DIFFERENT * len(cells)


def _is_short(cells: Sequence[str]) -> bool:
    return sum(len(re.findall(r"[^\W\d_]+", cell)) for cell in cells) < _WORDS * len(cells)


def _has_few(cells: Sequence[str]) -> bool:
    different = len({cell.strip() for cell in cells} - {""})
    return 2 <= different <= min(_MOST_LABELS, len(cells) / _FEWEST_EACH)
