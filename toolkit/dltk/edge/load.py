"""`load` a bundle and `predict`: each file read once, checked, and the same bytes handed to the runtime."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError, UsageError, did_you_mean
from dltk.edge.bundle.integrity import BUDGET, read_file, read_manifest
from dltk.edge.bundle.manifest import Artifact, Manifest
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import Family, family, require_finite
from dltk.edge.input.given import IMAGE_INPUTS, RECORDING_INPUTS, is_file, is_path
from dltk.edge.runtime.port import RUNTIMES, Session, require_ports, require_threads
from dltk.edge.runtime.sessions import available, install_hint, open_session

if TYPE_CHECKING:
    from dltk.edge.bundle.seal import Key

__all__ = ["Model", "choose", "load", "open_artifact", "model_from_bytes", "require_artifact"]

_CHUNK = 32  # samples whose tensors are held at a time
_HELD = 1 << 24  # numbers of their largest tensor, or one sample


class Model:
    """A model of a bundle, ready to predict. Thread-safe.

    Attributes:
        signature: its inputs and outputs.
        labels: one per class, or empty.
        artifact: the file that runs.
    """

    def __init__(self, signature: Signature, artifact: Artifact, session: Session) -> None:
        self.signature, self.artifact = signature, artifact
        self._session, self._family = session, family(signature.family)

    @property
    def labels(self) -> tuple[str, ...]:
        """One per class, or empty."""
        return self.signature.labels

    def predict(self, source: Any, *, top: int = 5) -> Any:
        """The prediction for one sample: for a classifier up to `top` pairs (label, score), best first.

        Args:
            source: what the family reads. An image: its path, the bytes or an open file of it, a PIL image, or a uint8
                array (H, W, 3). A recording: a WAV file in the same three ways, or an array (n,). Else a text, a
                mapping, a row or an array, as the family has it (`dltk recipes NAME`).

        Raises:
            InputError: if `source` cannot be read, or the model gives numbers that are not finite.
            UsageError: if `top` is no whole number of at least 1.
            EnvironmentFault: if a package that reads it is missing, such as Pillow.
        """
        return self.predict_many([source], top=top)[0]

    def predict_many(self, sources: Iterable[Any], *, top: int = 5) -> list[Any]:
        """One prediction per source, in order; an array of several samples counts as one source each.

        Raises:
            InputError, UsageError, EnvironmentFault: as `predict`; if there are several, the message gives its
                number.
        """
        if isinstance(top, bool) or not hasattr(top, "__index__") or top < 1:
            raise UsageError("top", "must be a whole number of at least 1", top)
        raws = self._raws(_as_list(sources, self._family))
        found: list[Any] = []
        chunk = batch_limit(self.signature)
        for start in range(0, len(raws), chunk):
            batch = np.stack(raws[start : start + chunk])
            tensors = self._family.tensors(batch, self.signature)
            left = self._family.narrow(self.run(tensors), batch, self.signature)
            found += self._family.predictions({**tensors, **left}, self.signature, top=top)
        return found

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The output tensors of a batch of input tensors, by name; batch first.

        Args:
            tensors: input name -> (n, ...), numbers of the signature's shapes, quantized here where the file is.

        Returns:
            output name -> (n, ...), in the file's dtype; what it quantizes comes back as float32.

        Raises:
            InputError: if names or shapes do not fit, or an output is not finite.
        """
        if not isinstance(tensors, Mapping):
            raise InputError("tensors", "must be a mapping, name -> array", tensors)
        return dict(require_finite(self._session.run(tensors)))

    def _raws(self, sources: list[Any]) -> list[NDArray[Any]]:
        """The raw sample of each source; what cannot be read is named by its place, unless by its path."""
        found = []
        for place, source in enumerate(sources, start=1):
            try:
                found.append(self._read(source))
            except DltkError as fault:
                if len(sources) == 1 or is_path(source):
                    raise
                where = f"sample {place} of {len(sources)}: {fault.where}"
                raise type(fault)(where, fault.rule, fault.received, fault.hint) from fault
        return found

    def _read(self, source: Any) -> NDArray[Any]:
        try:
            return self._family.read(source, self.signature)
        except (DltkError, MemoryError):
            raise
        except Exception as fault:  # what a caller's own object raises when it is read has no common class
            rule = f"must be {self._family.accepted_inputs}"
            received = f"{type(source).__name__} ({type(fault).__name__}: {fault})"
            raise InputError("sample", rule, received) from fault


def batch_limit(signature: Signature, most: int = _CHUNK) -> int:
    """How many samples are computed at a time: up to `most`, fewer of large ones."""
    largest = max(math.prod(spec.sample_shape) for spec in (*signature.inputs, *signature.outputs))
    return max(1, min(most, _HELD // max(1, largest)))


def _as_list(sources: Any, kind: Family) -> list[Any]:
    """`sources` one by one. One sample that can be gone through, such as a path or an image, is not taken apart."""
    is_one = is_file(sources) or isinstance(sources, Mapping) or _is_one(sources, kind)
    if is_one or not isinstance(sources, Iterable):
        received = f"array {sources.shape}" if isinstance(sources, np.ndarray) else type(sources).__name__
        raise InputError("sources", "must be several samples", received, "One sample goes to predict.")
    return list(sources)


def _is_one(sources: Any, kind: Family) -> bool:
    """Whether an array is one image or one recording."""
    if not isinstance(sources, np.ndarray) or kind.accepted_inputs not in (IMAGE_INPUTS, RECORDING_INPUTS):
        return False
    is_image = sources.ndim == 2 or (sources.ndim == 3 and sources.shape[2] in (1, 3, 4))
    return is_image if kind.accepted_inputs == IMAGE_INPUTS else sources.ndim == 1 and sources.dtype != object


def load(
    path: str | Path,
    *,
    runtime: str | None = None,
    artifact: str | None = None,
    threads: int = 1,
    verify: Key | None = None,
    max_memory: int = BUDGET,
) -> Model:
    """The model of the bundle in the folder or archive `path`: the first artifact whose runtime is installed.

    Args:
        runtime: "tflite" or "onnx": only artifacts of that format.
        artifact: the file to take.
        threads: of the runtime, for one sample.
        verify: public key, a PEM file's path or bytes, that the bundle must be signed with (`dltk export --sign`).
        max_memory: bytes that all files of the bundle may have together.

    Raises:
        InputError: if the bundle is damaged or too large, has no such artifact, or is not signed by the key that is
            asked for.
        EnvironmentFault: if no runtime for it is installed.
    """
    if not is_path(path) or "\0" in str(path):
        raise InputError("bundle", "must be the path of a folder or an archive", path)
    require_threads(threads)
    manifest = read_manifest(path, verify=verify, max_memory=max_memory)
    chosen = choose(manifest, runtime=runtime, artifact=artifact)
    return model_from_bytes(manifest, chosen, lambda name: read_file(path, manifest, name), threads=threads)


def model_from_bytes(
    manifest: Manifest, artifact: Artifact, read: Callable[[str], bytes], *, threads: int = 1
) -> Model:
    """The model in one artifact of a bundle, whose checked files `read(name)` gives; for Raises see `load`."""
    signature = manifest.signature.with_assets(read)
    return Model(signature, artifact, open_artifact(artifact, read(artifact.file), signature, threads=threads))


def choose(manifest: Manifest, *, runtime: str | None = None, artifact: str | None = None) -> Artifact:
    """The first artifact of the manifest that fits and whose runtime is installed.

    Raises:
        UsageError: if `runtime` is none.
        InputError: if no artifact fits.
        EnvironmentFault: if no runtime of those that fit is installed.
    """
    if runtime is not None and (not isinstance(runtime, str) or runtime not in RUNTIMES):
        raise UsageError("runtime", f"must be one of {', '.join(RUNTIMES)}", runtime)
    require_artifact(manifest, artifact)
    fitting = [
        item
        for item in manifest.artifacts
        if runtime in (None, item.format) and (artifact is None or item.file == artifact)
    ]
    if not fitting:
        there = ", ".join(item.file for item in manifest.artifacts)
        raise InputError(f"bundle {manifest.name}", f"must have an artifact for {runtime}", there)
    for item in fitting:
        if item.format in available():
            return item
    hint = install_hint({item.format for item in fitting})
    raise EnvironmentFault(f"bundle {manifest.name}", "needs a runtime that is not installed", hint=hint)


def require_artifact(manifest: Manifest, file: str | None) -> None:
    """Raise InputError if `file` is none of the artifacts; None stands for any."""
    files = [item.file for item in manifest.artifacts]
    if file is not None and file not in files:
        raise InputError(f"artifact {file!r}", f"is not in bundle {manifest.name}", hint=did_you_mean(str(file), files))


def open_artifact(artifact: Artifact, data: bytes, signature: Signature, *, threads: int = 1) -> Session:
    """A session over an artifact's checked bytes, checked against the signature.

    Raises:
        InputError: naming the file, if the runtime that is installed here cannot load it, or it does not fit.
    """
    try:
        session = open_session(artifact.format, data, threads=threads)
    except InputError as fault:
        hint = f"It is known to load in {artifact.minimum_runtime}."
        raise InputError(artifact.file, fault.rule, fault.received, hint) from fault
    require_ports(session, signature, artifact.file)
    return session
