"""Images with texts to labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import parse_json
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Op, Signature
from dltk.edge.families.shared.base import Family, Labelled, Tensors, unstack_samples
from dltk.edge.families.shared.labels import Labels, encode_targets, require_known
from dltk.edge.families.shared.synthetic import random_patches
from dltk.edge.families.text import as_raw
from dltk.edge.input import preprocess
from dltk.edge.input.tokens import letter_tokens, padded_tokens, tokenizer_of
from dltk.edge.sources.pairs import PairColumns, read_pairs
from dltk.edge.sources.tables import dialect_of, is_table_file
from dltk.edge.sources.texts.read import check_text

__all__ = ["FAMILY", "ImageText", "pair_type"]

_FEWEST, _MOST = 3, 12  # words of a sentence that is made up
_LARGEST = 1024  # side of an image, as recipes allow it
_MOST_BYTES = 1_000_000  # of a text
_HINT = 'Give {"image": "photo.jpg", "text": "what to know"}, or a CSV with the columns image and text.'


class ImageText(Labels):
    """Raw sample: a record of `image`, uint8 (height, width, 3), and `text`, UTF-8 bytes.

    Inputs: `image`, `tokens`, or both, as the model has them.
    """

    name = "image-text"
    accepted_inputs = (
        '{"image": ..., "text": ...}, the image a path, bytes, a file object, a PIL image or a uint8 array'
    )

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """The rows of a CSV with columns image,text; or the one sample itself."""
        if isinstance(source, (str, Path)) and is_table_file(source):
            return [{"image": path, "text": text} for path, text in unstack_samples(_rows(source, signature), source)]
        return [source]

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """A mapping of image (path, bytes or array) and text, or the same as JSON; a record () of `pair_type`.

        Raises:
            InputError: if it is no image with a text, or one of the two cannot be read.
        """
        parts = parse_json(source.encode(), "input") if isinstance(source, str) and source[:1] == "{" else source
        if not isinstance(parts, Mapping) or set(parts) != {"image", "text"} or not isinstance(parts["text"], str):
            raise InputError("input", "must be an image and a text", source, _HINT)
        kind = pair_type(signature.preprocess)
        found = np.zeros((), kind)
        found["image"] = preprocess.read_image(parts["image"], signature.preprocess)
        found["text"] = as_raw(check_text(parts["text"], "input: text"), kind["text"].itemsize)
        return found

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3) scaled as the signature defines, int32 (n, length) tokens.

        Args:
            raws: records (n,) of `pair_type`.

        Raises:
            InputError: if an input is neither "image" nor "tokens".
        """
        made: Tensors = {}
        for spec in signature.inputs:
            if spec.name == "image":
                made["image"] = preprocess.apply_ops(raws["image"], signature.preprocess)
            elif spec.name == "tokens" and len(spec.sample_shape) == 1:
                highest = None if spec.value_range is None else int(spec.value_range[1])
                texts = [_decoded(bytes(text)) for text in raws["text"]]
                length = spec.sample_shape[0]
                made["tokens"] = padded_tokens(texts, tokenizer_of(signature), length=length, highest=highest)
            else:
                raise InputError("inputs", "must be image and tokens, or one of them", spec.name)
        return made

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a CSV image,text,label. A few images that cannot be read are left out."""
        from dltk.edge.sources.pairs import list_pairs
        from dltk.edge.sources.unreadable import reason_of, require_few_unreadable

        columns = PairColumns.of_signature(signature)
        found = list_pairs(data, least_classes=1, dialect=dialect_of(signature), columns=columns)
        require_known(found.labels, signature, data)
        raws, kept, faults = [], [], []
        for row, (path, text) in enumerate(zip(found.paths, found.texts, strict=True)):
            try:
                raws.append(self.read({"image": path, "text": text}, signature))
            except InputError as fault:
                faults.append((found.places[row], reason_of(fault)))
                continue
            kept.append(row)
        note = require_few_unreadable(str(data), faults, len(found.paths), remedy="Fix or remove them.")
        targets = encode_targets([[found.classes[row]] for row in kept], signature)
        return Labelled(np.stack(raws), targets, tuple(faults), (note,) if note else ())

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Records (count,) of `pair_type`: coloured patches, and sentences of words that the tokenizer knows."""
        kind, generator = pair_type(signature.preprocess), np.random.Generator(np.random.PCG64(seed))
        found = np.zeros(count, kind)
        height, width, channels = kind["image"].shape
        found["image"] = random_patches(generator, count, (height, width, channels))
        known = np.array(letter_tokens(tokenizer_of(signature)))
        sentences = [" ".join(generator.choice(known, generator.integers(_FEWEST, _MOST + 1))) for _ in range(count)]
        found["text"] = [as_raw(sentence, kind["text"].itemsize) for sentence in sentences]
        return found


def _rows(source: str | Path, signature: Signature) -> list[tuple[Path, str]]:
    return read_pairs(source, dialect_of(signature), PairColumns.of_signature(signature))


def pair_type(ops: tuple[Op, ...]) -> np.dtype[Any]:
    """The dtype of a raw sample, from the steps "resize" and "text".

    Raises:
        InputError: if one of them is missing, or its numbers cannot be.
    """
    height, width = (_number(ops, "resize", key, _LARGEST) for key in ("height", "width"))
    return np.dtype(
        [("image", np.uint8, (height, width, 3)), ("text", f"S{_number(ops, 'text', 'max_bytes', _MOST_BYTES)}")]
    )


def _number(ops: tuple[Op, ...], name: str, key: str, highest: int) -> int:
    found = next((op.get(key) for op in ops if op["op"] == name), None)
    if not isinstance(found, int) or not 1 <= found <= highest:
        raise InputError(f"preprocess: {name}: {key}", f"must be a number from 1 to {highest}", found)
    return found


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise InputError("raw sample: text", "must be UTF-8", f"byte 0x{data[fault.start]:02x}") from fault


FAMILY: Family = ImageText()
