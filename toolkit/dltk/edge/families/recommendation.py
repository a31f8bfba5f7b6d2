"""A user, and what the user has, to the items that come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import parse_json
from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric, SingleSample, Tensors
from dltk.edge.input.catalogue import FIRST_ITEM, STRANGE, Catalogue, catalogue_of
from dltk.edge.metrics import ranks, softmax

__all__ = ["FAMILY", "Recommendation", "padded", "record", "targets_of"]

Prediction = list[tuple[str, float]]  # item and score, best first
_DEPTH = 10
_MOST_KEPT = 10_000_000  # places of a history: 40 MB a sample


def _hits(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    return np.asarray(ranks(outputs[signature.outputs[0].name], targets) <= _DEPTH, np.float64)


def _gains(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    places = ranks(outputs[signature.outputs[0].name], targets)
    return np.where(places <= _DEPTH, 1 / np.log2(places + 1), 0.0)


class Recommendation(SingleSample):
    """Raw sample: a record of int32 "user" (), 0 for an unknown user, and int32 "history" (kept,): ids, the newest
    last.

    Output: one score per item (n, items). Targets: int (n, 1 + k), the item that came next, and those the user had.
    """

    name = "recommendation"
    accepted_inputs = 'a user, or {"user": ..., "history": [...]}'
    metrics: tuple[Metric, ...] = (
        Metric("hit_rate_10", True, True, _hits),
        Metric("ndcg_10", True, True, _gains),
    )

    def kind(self, signature: Signature) -> Kind:
        """One item among all is to be ranked first."""
        return "ranking"

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """A user's id, with the history that the bundle carries; or {"user": ..., "history": [...]}, as JSON or not.

        With a history the user need not be known.

        Returns:
            A record () of int32 "user" () and int32 "history" (kept,).

        Raises:
            InputError: if the user is not known and no history is given, or `source` is none of the above.
        """
        known, kept = catalogue_of(signature), _places(signature)[2]
        if isinstance(source, (np.ndarray, np.void)) and source.dtype.names:
            if source.dtype != record(kept) or source.shape:
                raise InputError("sample", f"must be one record of {record(kept)}", f"{source.dtype} {source.shape}")
            return np.asarray(source)
        user, history = _asked(source)
        number = 0 if user is None else known.user_numbers.get(user, 0)
        if not number and history is None:
            raise _unknown_user(user, known)
        if history is None:
            ids = [] if known.histories is None else [item + FIRST_ITEM for item in known.histories[number - 1]]
        else:
            ids = _ids(history, known)
        made = np.zeros((), record(kept))
        made["user"], made["history"] = number, padded(ids, kept)
        return made

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """int32 "user" (n, 1) and "history" (n, length), float32 "weights" (n, length, 1).

        The weights of the items that are known add up to 1, so that a sum over them is a mean; padding has none. An
        item counts half as much as one that is "half_life" places newer, where that is not 0.
        """
        length, half_life, _ = _places(signature)
        history = np.ascontiguousarray(raws["history"][:, -length:], np.int32)
        ages = np.arange(length)[::-1] / half_life if half_life else np.zeros(length)
        # In float64: machines differ in the last bit of a power, and rounding to float32 hides it.
        counts = (history >= FIRST_ITEM) * np.exp2(-ages)
        sums = counts.sum(axis=1, keepdims=True)
        weights = counts / np.where(sums > 0, sums, 1.0)
        users = np.ascontiguousarray(raws["user"], np.int32)[:, None]
        return {"user": users, "history": history, "weights": weights[..., None].astype(np.float32)}

    def narrow(
        self, outputs: Mapping[str, NDArray[Any]], raws: NDArray[Any], signature: Signature
    ) -> dict[str, NDArray[Any]]:
        """Minus infinity for every item of the history.

        Args:
            outputs: output name -> scores (n, items); they are copied, as float32.
            raws: records (n,) as `read` gives them.
        """
        name = signature.outputs[0].name
        scores = np.array(outputs[name], np.float32)
        rows, places = np.nonzero(raws["history"] >= FIRST_ITEM)
        scores[rows, raws["history"][rows, places] - FIRST_ITEM] = -np.inf
        return {**outputs, name: scores}

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: the `top` items that `narrow` left, with their share of all that is left.

        Args:
            outputs: output name -> scores (n, items).

        Raises:
            InputError: if the catalogue has not one item per score.
        """
        scores, items = outputs[signature.outputs[0].name], catalogue_of(signature).items
        if scores.shape[-1] != len(items):
            raise InputError("catalogue", f"must hold {scores.shape[-1]} items, one per output", len(items))
        found: list[Prediction] = []
        for row in scores:
            left = np.flatnonzero(np.isfinite(row))
            shares = softmax(row[left]) if len(left) else row[left]
            best = np.argsort(-shares, kind="stable")[:top]
            found.append([(items[left[place]], float(shares[place])) for place in best])
        return found

    def as_json(self, prediction: Prediction) -> list[dict[str, Any]]:
        """[{"item": .., "score": ..}, ...]."""
        return [{"item": item, "score": score} for item, score in prediction]

    def as_text(self, prediction: Prediction) -> str:
        """One line per item."""
        return "\n".join(f"{score:7.4f}  {one_line(item)}" for item, score in prediction) or "(no item is left)"

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a CSV of ratings the last item of every user, with those before as the history.

        Raises:
            InputError: if no user has two items, the last one in the catalogue.
        """
        from dltk.edge.sources.ratings import RatingColumns, read_ratings
        from dltk.edge.sources.tables import dialect_of, read_table

        known, kept = catalogue_of(signature), _places(signature)[2]
        found = read_ratings(
            read_table(data, dialect=dialect_of(signature)), RatingColumns.of(signature.step("ratings"))
        )
        rows, skipped = [], []
        for user, items in found.histories.items():
            if len(items) < 2:
                skipped.append((user, "has one item only"))
            elif items[-1] not in known.item_numbers:
                skipped.append((user, "the last item is not in the catalogue"))
            else:
                rows.append((known.user_numbers.get(user, 0), _ids(items[:-1], known), known.item_numbers[items[-1]]))
        if not rows:
            raise InputError(str(data), "must hold a user with two items, the last one in the catalogue")
        raws = np.zeros(len(rows), record(kept))
        raws["user"] = [user for user, _, _ in rows]
        raws["history"] = [padded(ids, kept) for _, ids, _ in rows]
        return Labelled(raws, targets_of(raws["history"], [item for _, _, item in rows]), tuple(skipped))

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Records (count,): users and histories drawn evenly."""
        known, kept = catalogue_of(signature), _places(signature)[2]
        generator, made = np.random.Generator(np.random.PCG64(seed)), np.zeros(count, record(kept))
        made["user"] = generator.integers(0, len(known.users) + 1, count)
        for row in range(count):
            most = min(kept, len(known.items))
            ids = generator.permutation(len(known.items))[: generator.integers(1, most + 1)] + FIRST_ITEM
            made["history"][row] = padded(ids.tolist(), kept)
        return made


def record(kept: int) -> np.dtype[Any]:
    """Of a raw sample whose history has `kept` places."""
    return np.dtype([("user", np.int32), ("history", np.int32, (kept,))])


def padded(ids: Sequence[int], kept: int) -> NDArray[np.int32]:
    """int32 (kept,): the last `kept` of `ids`, behind zeros where they are fewer."""
    found = np.zeros(kept, np.int32)
    last = ids[-kept:]
    found[kept - len(last) :] = last
    return found


def targets_of(history: NDArray[np.int32], items: Sequence[int]) -> NDArray[np.int32]:
    """Targets (n, 1 + kept): the item of each sample, then the numbers of its history, -1 for what is none."""
    seen = np.where(history >= FIRST_ITEM, history - FIRST_ITEM, -1)
    return np.concatenate([np.asarray(items, np.int32)[:, None], seen], axis=1).astype(np.int32)


def _ids(items: Sequence[str], known: Catalogue) -> list[int]:
    return [known.item_numbers[item] + FIRST_ITEM if item in known.item_numbers else STRANGE for item in items]


def _places(signature: Signature) -> tuple[int, float, int]:
    """Places of the model's history, after how many an item counts half, and places of a raw sample's."""
    step = signature.step("history")
    length, half_life, kept = (step.get(key, -1) for key in ("length", "half_life", "kept"))
    whole = type(length) is int and type(kept) is int and isinstance(half_life, (int, float))
    if not whole or not 0 < length <= kept <= _MOST_KEPT or half_life < 0:
        raise InputError("preprocess: history", "must have a length, a half_life and a number that is kept", dict(step))
    return length, float(half_life), kept


def _unknown_user(user: str | None, known: Catalogue) -> InputError:
    if _is_file(str(user)):
        hint = "dltk validate BUNDLE --data FILE scores a model on a file of ratings."
        raise InputError("input", "must be a user, or a history as JSON", f"the file {user}", hint)
    near = get_close_matches(str(user), known.users, n=1)  # never all names: there may be a million
    hint = f"Did you mean {near[0]!r}? " if near else ""
    hint += 'Pass the history of a new user: {"history": ["ITEM", ...]}.'
    return InputError(f"user {user!r}", "is not known to this model", hint=hint)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no name of a file at all
        return False


def _asked(source: Any) -> tuple[str | None, list[str] | None]:
    """User and history, each None where it is not given."""
    given = source
    if isinstance(source, str) and source.lstrip().startswith("{"):
        given = parse_json(source.encode(), "sample")
    if not isinstance(given, Mapping):
        return str(given), None
    strange = sorted(set(map(str, given)) - {"user", "history"})
    if strange or not given:
        raise InputError("sample", 'must be {"user": ..., "history": [...]}', ", ".join(strange))
    user, history = given.get("user"), given.get("history")
    if history is not None and not isinstance(history, (list, tuple)):
        raise InputError("sample: history", "must be a list of items", history)
    for value in (user, *(history or ())):
        if isinstance(value, bool) or not (value is None or isinstance(value, (str, int))):
            raise InputError("sample", "users and items must be texts or whole numbers", value)
    return None if user is None else str(user), None if history is None else [str(item) for item in history]


FAMILY: Family = Recommendation()
