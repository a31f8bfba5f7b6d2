"""Texts to labels."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families.shared.base import Family, Labelled, Tensors, unstack_samples
from dltk.edge.families.shared.labels import Labels, encode_targets, require_known
from dltk.edge.input.given import bytes_of, is_file, is_path
from dltk.edge.input.tokens import letter_tokens, padded_tokens, token_positions, tokenizer_of
from dltk.edge.sources.tables import dialect_of, is_table_file
from dltk.edge.sources.texts.read import check_text, read_column, read_lines

__all__ = ["FAMILY", "Text", "as_raw"]

_MAX_BYTES = 100_000_000  # of a file that is one text
_TEXT_SUFFIXES = (".txt", ".text", ".md", ".log")
_LONGEST_PATH = 4096  # letters
_FEWEST, _MOST = 3, 12  # words of a sentence that is made up


class Text(Labels):
    """Raw sample: UTF-8 bytes, dtype "S". Inputs: `tokens`, and `positions` where the model asks for them."""

    name = "text"
    accepted_inputs = "a text, its UTF-8 bytes, the path of a text file or a table, or a file object of a text"

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """The rows of a table, the lines of any other file, or the text itself; an existing path is never a text."""
        path = _file(source)
        if path is None:
            return [source]
        is_table = is_table_file(path)
        column, dialect = str(signature.step("text")["column"]), dialect_of(signature)
        found = read_column(path, column, dialect) if is_table else read_lines(path, dialect.encoding)
        return [text.encode() for text in unstack_samples(found, path)]  # bytes: a line that looks like a path is none

    def read(self, source: Any, signature: Signature) -> NDArray[np.bytes_]:
        """A text, its UTF-8 bytes, or the whole of a text file: bytes (), cut off at the signature's `max_bytes`.

        Raises:
            InputError: if it is none of these, a table, empty, no Unicode text, or holds a NUL.
        """
        path = _file(source)
        if path is not None and is_table_file(path):
            raise InputError(str(path), "must be a file of one text", "a table", "Read its rows with `expand`.")
        is_plain = path is None and (is_path(source) or not is_file(source))
        data = source if is_plain else bytes_of(path or source, "text", _MAX_BYTES)
        where = "text" if path is None else str(path)
        if isinstance(data, bytes):  # np.bytes_ is one, too
            data = _decoded(bytes(data), where)
        if not isinstance(data, str):
            raise InputError(where, f"must be {self.accepted_inputs}", type(data).__name__)
        return np.array(as_raw(check_text(data, where), _max_bytes(signature)))

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """int32 (n, length): tokens; their places from 1 on where the model has the input `positions`.

        Args:
            raws: UTF-8 bytes (n,).

        Raises:
            InputError: if `raws` are anything else, or a token is none that the model knows.
        """
        if raws.dtype.kind != "S" or raws.ndim != 1:
            raise InputError("raw samples", "must be UTF-8 bytes, one row a text", f"{raws.dtype} {raws.shape}")
        spec = _tokens_spec(signature)
        highest = None if spec.value_range is None else int(spec.value_range[1])
        texts = [_decoded(bytes(raw), "raw sample") for raw in raws]
        tokens = padded_tokens(texts, tokenizer_of(signature), length=spec.sample_shape[0], highest=highest)
        made = {"tokens": tokens, "positions": token_positions(tokens)}
        return {each.name: made[each.name] for each in signature.inputs}

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a CSV, or the test.csv of a folder; without one there all of its files."""
        from dltk.edge.sources.texts.listing import TextLayout, list_texts

        step = signature.step("text")
        layout = TextLayout(str(step["column"]), str(step["label"]), dialect=dialect_of(signature))
        found = list_texts(data, layout, least_classes=1)
        rows = [row for row, side in enumerate(found.split_ids) if side == "test"] or list(range(len(found.texts)))
        require_known({found.classes[row] for row in rows}, signature, data)
        raws = np.array([as_raw(found.texts[row], _max_bytes(signature)) for row in rows])
        return Labelled(raws, encode_targets([[found.classes[row]] for row in rows], signature))

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.bytes_]:
        """Sentences (count,) of words that the tokenizer knows."""
        generator = np.random.Generator(np.random.PCG64(seed))
        known = np.array(letter_tokens(tokenizer_of(signature)))
        lengths = generator.integers(_FEWEST, _MOST + 1, count)
        return np.array([" ".join(generator.choice(known, length)).encode() for length in lengths])


def as_raw(text: str, max_bytes: int) -> bytes:
    """The UTF-8 bytes of `text`, cut off before the letter that would exceed `max_bytes`."""
    data = text.encode("utf-8")
    return data if len(data) <= max_bytes else data[:max_bytes].decode("utf-8", errors="ignore").encode("utf-8")


def _file(source: Any) -> Path | None:
    """The file that `source` names; None where it is a text.

    Raises:
        InputError: if it is a folder, or looks like a path and is not there.
    """
    if not isinstance(source, (str, Path)) or (isinstance(source, str) and not source.strip()):
        return None
    path = Path(source)
    try:
        found = path.stat().st_mode
    except (OSError, ValueError):  # not there; too long for a path, or with a NUL: a text
        if isinstance(source, Path) or _looks_like_path(source):
            hint = "Check the path; a text that looks like one can be given in a .txt file."
            raise InputError(source, "looks like a path, and must be a file that exists", hint=hint) from None
        return None
    if stat.S_ISDIR(found):
        raise InputError(source, "must be a text or a file", "a folder", "Give the files in it.")
    return path


def _looks_like_path(text: str) -> bool:
    """Whether `text` is one word that ends like the name of a file of texts."""
    if len(text.split()) != 1 or "://" in text or len(text) > _LONGEST_PATH:
        return False
    return is_table_file(text) or Path(text).suffix.lower() in _TEXT_SUFFIXES


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        line, byte = data.count(b"\n", 0, fault.start) + 1, f"byte 0x{data[fault.start]:02x}"
        raise InputError(f"{where}, line {line}", "must be UTF-8", byte, "Save it as UTF-8.") from fault


def _tokens_spec(signature: Signature) -> TensorSpec:
    names = [spec.name for spec in signature.inputs]
    if "tokens" not in names or not set(names) <= {"tokens", "positions"}:
        raise InputError("inputs", "must be tokens, and positions or nothing", ", ".join(names))
    shapes = {(spec.dtype, spec.sample_shape) for spec in signature.inputs}
    found = signature.inputs[names.index("tokens")]
    if len(shapes) != 1 or found.dtype != "int32" or len(found.sample_shape) != 1:
        raise InputError("inputs", "tokens and positions must be int32 of one length", shapes)
    return found


def _max_bytes(signature: Signature) -> int:
    found = signature.step("text").get("max_bytes")
    if not isinstance(found, int) or found < 1:
        raise InputError("preprocess: text: max_bytes", "must be a number of at least 1", found)
    return found


FAMILY: Family = Text()
