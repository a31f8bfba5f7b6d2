"""From a folder or a CSV of WAV files to a `Dataset` of recordings."""

from __future__ import annotations

import hashlib
from typing import Any

from numpy.typing import NDArray

from dltk.base.cache.entries import using
from dltk.base.progress import SILENT, Progress
from dltk.data.assemble import assemble
from dltk.data.dataset import Dataset
from dltk.data.decoded import Decoder, decode_pool
from dltk.data.pool import open_files
from dltk.data.split import require_training_share
from dltk.edge.bundle.signature import Op
from dltk.edge.input.sound import read_sound, sound_op
from dltk.edge.sources import SOUNDS, Layout
from dltk.recipe import SoundData

__all__ = ["prepare_sounds"]


def prepare_sounds(source: str, settings: SoundData, op: Op, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """The recordings of `source`, resampled and cut by the step "sound" in `op`, cached, and split.

    For splits, copies and `settings.limit` see `assemble`. Raw samples are int16 (samples,).

    Args:
        source: a folder with a subfolder per class, or a CSV `path,label`.

    Raises:
        InputError: on another layout, labels that cannot be, more unreadable files than `settings.max_unreadable`
            allows, or a class without training samples.
        EnvironmentFault: on a full disk.
    """
    require_training_share(settings)
    ops = (op,)

    def decode(path: Any, where: str) -> tuple[NDArray[Any], bytes]:
        raw = read_sound(path, ops, where=where)
        return raw, hashlib.sha256(raw.tobytes()).digest()

    _, samples = sound_op(ops)
    decoder = Decoder("sounds", {"ops": [dict(op)]}, (samples,), "int16", decode)
    with using(settings):
        pool = open_files(
            source, SOUNDS, group=settings.group, multi_label=settings.multi_label,
            group_pattern=settings.group_pattern, layout=Layout.of(settings), progress=progress
        ).part(settings.total, seed)  # fmt: skip
        decoded = decode_pool(pool, decoder, progress=progress)
    return assemble(pool, decoded, settings, ops, noun="recordings", seed=seed, progress=progress)
