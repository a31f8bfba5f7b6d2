"""Settings that the user may have meant: by the last part of a key, by names in other tools, by spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["similar_keys", "settings_hint"]

_SHOWN = 4
_ALIKE = 0.72  # of two spellings, by difflib: "epochs" and "epoch" are 0.91 alike, "epochs" and "depth" 0.55

# The last part of a key -> what other tools call it.
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "alpha": ("width", "width_multiplier", "width_mult"),
    "backbone": ("model", "arch", "architecture", "net", "network", "base_model", "encoder", "model_name"),
    "batch_size": ("batch", "bs", "batchsize", "train_batch_size"),
    "class_weights": ("class_weight", "balanced"),
    "clip_norm": ("grad_clip", "clip", "clipnorm", "max_grad_norm"),
    "epochs": ("epoch", "num_epochs", "n_epochs", "max_epochs", "iterations"),
    "flip": ("hflip", "horizontal_flip", "fliplr"),
    "label_smoothing": ("smoothing",),
    "labels": ("classes", "class_names", "label_names"),
    "learning_rate": ("lr", "lr0", "base_lr", "max_lr", "learningrate", "rate"),
    "length": ("max_length", "max_len", "seq_len", "sequence_length"),
    "multi_label": ("multilabel",),
    "optimizer": ("optim", "optimiser", "opt"),
    "patience": ("early_stopping", "early_stop"),
    "precision": ("mixed_precision", "amp", "dtype"),
    "resize": ("resize_mode",),
    "rotate": ("rotation", "degrees"),
    "schedule": ("scheduler", "lr_schedule", "lr_scheduler"),
    "seed": ("random_seed", "random_state"),
    "size": ("image_size", "img_size", "imgsz", "img", "input_size", "resolution", "image_shape", "side"),
    "test": ("test_split", "test_size", "test_share"),
    "units": ("hidden", "hidden_units", "layers"),
    "validation": ("val", "val_split", "validation_split", "valid", "val_size"),
    "weight_decay": ("wd", "decay"),
    "weights": ("pretrained", "checkpoint", "init"),
}
_OURS = {theirs: ours for ours, names in _ELSEWHERE.items() for theirs in names}


def similar_keys(word: str, keys: Iterable[str], *, alike: float = _ALIKE) -> list[str]:
    """The dotted `keys` that `word` may mean, in their order; empty if none is close.

    The whole key, its last part and the names of other tools come before similar spelling.
    """
    keys, wanted = list(keys), word.strip("-").replace("-", "_").lower()
    section = f"{wanted.rpartition('.')[0]}."
    within = [key for key in keys if key.startswith(section)]  # "tune.epoch": those of tune, not of another phase
    if 0 < len(within) < len(keys) and (found := similar_keys(wanted.removeprefix(section), within, alike=alike)):
        return found
    lasts = {key: key.rpartition(".")[2] for key in keys}
    for test in (
        lambda key: key == word or key.replace(".", "_") == wanted.replace(".", "_"),
        lambda key: lasts[key] == wanted,
        lambda key: lasts[key] == wanted.rpartition(".")[2],
        lambda key: lasts[key] == _OURS.get(wanted, _OURS.get(wanted.rpartition(".")[2])),
    ):
        if found := [key for key in keys if test(key)]:
            return found
    scores = {key: max(_ratio(wanted, key), _ratio(wanted.rpartition(".")[2], lasts[key])) for key in keys}
    best = max(scores.values(), default=0.0)
    return [key for key in keys if scores[key] == best] if best >= alike else []


def settings_hint(word: str, keys: Iterable[str]) -> str:
    """A sentence with the settings close to `word`, or with all of them if none is close."""
    keys = list(keys)
    near = similar_keys(word, keys, alike=0.6)[:_SHOWN]
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"Known: {', '.join(sorted(keys))}." if keys else ""


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
