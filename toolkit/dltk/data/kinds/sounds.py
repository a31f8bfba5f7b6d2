"""From a folder or a CSV of recordings to a `Dataset`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import using
from dltk.base.progress import SILENT, Progress
from dltk.data.assemble import assemble
from dltk.data.dataset import Dataset
from dltk.data.decoded import Decoder, decode_pool
from dltk.data.pool import Pool, open_files
from dltk.data.sizes.recordings import Hearing, hear
from dltk.data.split import require_training_share
from dltk.edge.bundle.signature import Op
from dltk.edge.input.sound import read_sound, sound_op
from dltk.edge.input.soundfiles import decoder_version
from dltk.edge.sources import SOUNDS, Layout
from dltk.edge.sources.groups import likely_groups
from dltk.recipe import SoundData

__all__ = ["prepare_sounds", "sound_reading"]


def prepare_sounds(
    source: str, settings: SoundData, *, seed: int, is_centred: bool = False, least: float = 0.0,
    progress: Progress = SILENT
) -> Dataset:  # fmt: skip
    """The recordings of `source`, resampled and cut, cached, and split; `sound_reading` gives the step that does it.

    For splits, copies and `settings.limit` see `assemble`; for the rate and the length, which the report has as "rate"
    and "seconds", see `hear`. Raw samples are int16 (samples,).

    Args:
        source: a folder with a subfolder per class, or a CSV `path,label`.
        is_centred: whether short recordings stand in the middle of a sample, not at its start.
        least: seconds that the model needs.

    Raises:
        InputError: on another layout, labels that cannot be, more unreadable files than `settings.max_unreadable`
            allows, or a class without training samples.
        EnvironmentFault: on a full disk, or if the package that reads a file is missing.
    """
    require_training_share(settings)
    with using(settings):
        pool = open_files(
            source, SOUNDS, group=settings.group, multi_label=settings.multi_label,
            group_pattern=settings.group_pattern, layout=Layout.of(settings), progress=progress
        ).part(settings.total, seed)  # fmt: skip
        heard = hear(pool, settings, least=least, progress=progress)
        ops = (sound_reading(heard, settings, is_centred=is_centred),)
        decoded = decode_pool(pool, _decoder(ops), progress=progress)
    if pool.groups is None and (pool.split_ids < 0).all() and (words := _likely_groups(pool)):
        progress.log(f"data {pool.source}: {words}")
    found = assemble(pool, decoded, settings, ops, noun="recordings", seed=seed, progress=progress)
    return replace(found, report={**found.report, "rate": heard.rate, "seconds": heard.seconds})


def sound_reading(heard: Hearing, settings: SoundData, *, is_centred: bool = False) -> Op:
    """The step "sound": from a file to the raw sample; `is_centred` as in `prepare_sounds`."""
    part = {} if settings.part == "start" else {"part": settings.part}
    place = {"place": "middle"} if is_centred else {}
    return {"op": "sound", "rate": heard.rate, "samples": round(heard.rate * heard.seconds), **part, **place}


def _decoder(ops: tuple[Op, ...]) -> Decoder:
    def decode(path: Any, where: str) -> tuple[NDArray[Any], bytes]:
        raw = read_sound(path, ops, where=where)
        return raw, hashlib.sha256(raw.tobytes()).digest()

    _, samples = sound_op(ops)
    version = decoder_version()  # another one may decode Ogg to slightly other samples
    facts = {"ops": [dict(op) for op in ops]} | ({"soundfile": version} if version else {})
    return Decoder("sounds", facts, (samples,), "int16", decode)


def _likely_groups(pool: Pool) -> str:
    classes = [np.atleast_1d(row if row.ndim == 0 else np.flatnonzero(row)).tolist() for row in pool.targets]
    return likely_groups([pool.name(row) for row in range(len(pool))], classes)
