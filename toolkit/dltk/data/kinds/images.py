"""From what the user has to a `Dataset` of images."""

from __future__ import annotations

from dataclasses import replace

from dltk.base.cache.entries import using
from dltk.base.progress import SILENT, Progress
from dltk.data.assemble import assemble
from dltk.data.dataset import Dataset
from dltk.data.decoded import decode_pool, image_decoder
from dltk.data.pool import open_pool
from dltk.data.sizes.images import find_size
from dltk.data.split import require_training_share
from dltk.edge.bundle.signature import Op
from dltk.edge.input.preprocess import image_ops
from dltk.edge.sources import Layout
from dltk.recipe import ImageData, PlainImageData

__all__ = ["channels", "prepare_images", "reading_ops", "size_of"]


def prepare_images(
    source: str, settings: ImageData, *, seed: int, progress: Progress = SILENT, least_classes: int = 2
) -> Dataset:
    """The images of `source`, decoded, resized, cached, and split.

    For their height and width, which the report has as "size", see `find_size`.
    A split that comes with the data is kept; a split it lacks is taken from train, in the settings' shares. Of images
    that are in several splits (equal in every decoded pixel), the copies stay in one: test before validation before
    train, so that a test set others use stays whole. `settings.limit` then takes a stratified part of train.

    Args:
        source: "digits", "cifar10", "fashion-mnist", a folder with a subfolder per class, a CSV `path,label`, an npz.
        least_classes: 1 if the model does not classify: of a folder or a CSV.

    Raises:
        InputError: on another layout, labels that cannot be, more unreadable files than `settings.max_unreadable`
            allows, or a class without training samples.
        EnvironmentFault: on a full disk, missing Pillow, or a named data set that is unavailable.
    """
    require_training_share(settings)
    with using(settings):
        pool = open_pool(
            source,
            group=settings.group,
            multi_label=settings.multi_label,
            progress=progress,
            least_classes=least_classes,
            layout=Layout.of(settings),
        ).part(settings.total, seed)
        side = find_size(pool, settings, progress)
        ops = reading_ops(settings, side)
        decoded = decode_pool(pool, image_decoder(ops), progress=progress)
    found = assemble(pool, decoded, settings, ops, noun="images", seed=seed, progress=progress)
    return replace(found, report={**found.report, "size": side})


def size_of(dataset: Dataset) -> int:
    """Height and width of the images of a `dataset` that `prepare_images` gave; of another one its longest axis."""
    return int(dataset.report.get("size") or max(dataset.train.store.shape[1:], default=1))


def reading_ops(settings: ImageData, side: int) -> tuple[Op, Op]:
    """The ops that turn a file into the cached uint8 (side, side, channels), from `settings`."""
    return image_ops(side, side, fit=settings.resize, max_pixels=settings.max_pixels, channels=channels(settings))


def channels(settings: ImageData) -> int:
    """Channels of the images that `settings` describe; by default 3."""
    return settings.channels if isinstance(settings, PlainImageData) else 3
