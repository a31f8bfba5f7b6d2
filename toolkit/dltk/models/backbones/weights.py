"""Find the weights of a backbone: the user's file, the cache, the official download, a registry package, in that order.

The source decides how images are scaled and how the graph is built, so it is resolved first, without Keras, and passed
to data and model as a `WeightSource`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dltk.base import fetch
from dltk.base.cache.entries import entry_is_intact, keep, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle import arrays
from dltk.models.backbones.convert import CONVERTERS, Tensors
from dltk.models.backbones.origins import STOCK, Origin, Scale, Variant
from dltk.models.backbones.table import BACKBONES, Backbone, backbone

__all__ = ["WeightSource", "local_source", "read_npz", "resolve", "user_file"]

FILE_KINDS = (".keras", ".weights.h5", ".h5", ".safetensors", ".npz")


@dataclass(frozen=True)
class WeightSource:
    """The resolved source of a model's weights.

    Attributes:
        backbone: the name of the backbone.
        kind: "none" (random), "file" (the user's), "official" or "package".
        title: one line for people: what it is and where it was found.
        path: the file to read; None for random weights.
        scale: the scaling of uint8 RGB that these weights need.
        variant: how the graph differs from that of `keras.applications`.
        alpha: width multiplier.
    """

    backbone: str
    kind: str
    title: str
    path: Path | None
    scale: Scale
    variant: Variant = STOCK
    alpha: float = 1.0


def resolve(
    name: str,
    weights: str | Path = "imagenet",
    *,
    alpha: float = 1.0,
    size: int | None = None,
    progress: Progress = SILENT,
) -> WeightSource:
    """Locate the weights of backbone `name`, fetching and converting them once if need be.

    Args:
        weights: "imagenet", "none" for random ones (no network), or the path of a file of weights
            (.keras, .weights.h5, .h5, .safetensors, .npz).
        alpha: width multiplier.
        size: height and width in pixels; some official weights differ with it.

    Raises:
        InputError: if there is no such backbone, width or file.
        EnvironmentFault: if ImageNet weights are unavailable here; the message lists what was tried.
    """
    spec = backbone(name)
    if alpha not in spec.alphas:
        raise InputError("alpha", f"{name} must have a width of {', '.join(map(str, spec.alphas))}", alpha)
    if str(weights) == "none":
        return WeightSource(name, "none", "random weights", None, spec.scale, alpha=alpha)
    if str(weights) != "imagenet":
        path = user_file(Path(weights))
        return _report_source(progress, WeightSource(name, "file", f"the file {path}", path, spec.scale, alpha=alpha))
    fitting = [origin for origin in spec.origins if alpha in origin.alphas]
    for origin in fitting:
        found = _cached_file(spec, origin, alpha, size, progress)
        if found is not None:
            return _report_source(progress, _source(spec, origin, found, alpha, "in the cache"))
    tried: list[str] = []
    for origin in fitting:
        try:
            path = _fetched(spec, origin, alpha, size, progress)
        except DltkError as fault:
            tried.append(f"{origin.title} ({fault})")
        else:
            return _report_source(progress, _source(spec, origin, path, alpha, "fetched now"))
    raise _weights_unavailable(spec, alpha, tried)


def local_source(spec: Backbone, origin: Origin) -> str:
    """Where weights of `origin` are on this machine: "converted", "cached", "installed", or "" for not here.

    Only looks: fetches nothing, reads no more than hashes need.
    """
    if origin.package is None:
        names = {_official_path(origin, alpha, size) for alpha in origin.alphas for size in (None, *spec.sizes)}
        return "cached" if any(path.is_file() for path in names) else ""
    if _converted_path(spec, origin).is_file():
        return "converted"
    return "installed" if fetch.installed(origin.package) else "cached" if fetch.cached(origin.package) else ""


def read_npz(path: Path) -> Tensors:
    """The tensors of a `.npz` of plain arrays, "layer/weight" -> array.

    Raises:
        InputError: if it is damaged or holds pickles.
    """
    return arrays.read_npz(Path(os.path.realpath(path)))


def _report_source(progress: Progress, source: WeightSource) -> WeightSource:
    progress.log(f"weights of {source.backbone}: {source.title}")
    return source


def _source(spec: Backbone, origin: Origin, path: Path, alpha: float, found: str) -> WeightSource:
    title = f"ImageNet, {origin.title}, {found}"
    return WeightSource(spec.name, origin.kind, title, path, origin.scale, origin.variant, alpha)


def user_file(path: Path) -> Path:
    """`path`, if a file of weights can be there.

    Raises:
        InputError: if there is none, or it is of another kind.
    """
    if not path.is_file():
        raise InputError(path, "the file of weights must exist", hint='Give a path, "imagenet" or "none".')
    if not path.name.endswith(FILE_KINDS):
        hint = "A .pth is a pickle and can run code: convert it to .safetensors first." if path.suffix == ".pth" else ""
        raise InputError(path, f"weights must be one of {', '.join(FILE_KINDS)}", path.suffix, hint)
    return path


def _cached_file(spec: Backbone, origin: Origin, alpha: float, size: int | None, progress: Progress) -> Path | None:
    """The file in the cache, if it is there and what it was when it came; a damaged one is made or fetched again."""
    own = origin.package is None
    path = _official_path(origin, alpha, size, spec) if own else _converted_path(spec, origin)
    digest = origin.digests.get(alpha) if own else None
    if not entry_is_intact(path.parent, [path.name], whole=True, note=progress.warn):
        return None
    return path if digest is None or fetch.has_digest(path.read_bytes(), digest) else None


def _fetched(spec: Backbone, origin: Origin, alpha: float, size: int | None, progress: Progress) -> Path:
    if origin.package is None:
        path = _official_path(origin, alpha, size, spec)
        with new_entry(path.parent) as building:
            fetch.download(_url(origin, alpha, size, spec), building / path.name, digest=origin.digests.get(alpha))
        return path
    files = fetch.from_package(origin.package, progress=progress)
    tensors = CONVERTERS[origin.converter](files, origin.package.members)
    path = _converted_path(spec, origin)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **{name: np.ascontiguousarray(each) for name, each in tensors.items()})
    return keep(path.parent, path.name, packed.getvalue())


def _official_path(origin: Origin, alpha: float, size: int | None, spec: Backbone | None = None) -> Path:
    name = _url(origin, alpha, size, spec).rpartition("/")[2]
    return cache_folder("weights", name, name)


def _url(origin: Origin, alpha: float, size: int | None, spec: Backbone | None = None) -> str:
    pixels = size if size is not None and (spec is None or size in spec.sizes) else 224
    text = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}.get(alpha, "")
    return origin.url.format(alpha=float(alpha), alpha_text=text, size=pixels)


def _converted_path(spec: Backbone, origin: Origin) -> Path:
    """Named by what it was made from, so that a changed pin never meets an old conversion."""
    members = origin.package.members if origin.package is not None else {}
    digest = sha256("\n".join(f"{member} {members[member]}" for member in sorted(members)).encode())
    name = f"{spec.name}-{digest[:16]}.npz"
    return cache_folder("weights", name, name)


def _weights_unavailable(spec: Backbone, alpha: float, tried: list[str]) -> EnvironmentFault:
    named: Callable[[Backbone, Origin], str] = lambda each, origin: f"{each.name} ({local_source(each, origin)})"  # noqa: E731
    here = [named(each, origin) for each in BACKBONES.values() for origin in each.origins if local_source(each, origin)]
    width = f" of width {alpha}" if alpha != 1.0 else ""
    packaged = [each.name for each in BACKBONES.values() if any(origin.package for origin in each.origins)]
    hint = (
        f"Tried: {'; '.join(tried)}. "
        f"On this machine now: {', '.join(here) or 'none'}. "
        f"From a package registry (width 1): {', '.join(packaged)}. "
        "Or give --set model.weights=FILE, or --set model.weights=none to start from random ones."
    )
    return EnvironmentFault(f"{spec.name}{width}", "its ImageNet weights are unavailable here", hint=hint)
