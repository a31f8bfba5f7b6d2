"""What is done with damaged files, in a fork: each function makes a trial, which says of a seed what came of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, LimitError
from dltk.edge.bundle.integrity import VerifiedBundle, read_bundle
from dltk.edge.bundle.manifest import MANIFEST, Artifact, file_entry
from dltk.edge.families import family
from dltk.edge.load import load, open_artifact
from dltk.edge.parity import compare
from dltk.edge.replay import GOLDEN, _limits, read_golden, replay
from dltk.edge.runtime import worker
from dltk.edge.runtime.worker import run_worker
from mutations import damage_bundle, damage_bytes

__all__ = ["bundle", "pretend", "raw", "validate"]

Trial = Callable[[int], tuple[str, str]]
_SAME = 1e-5  # of logits or probabilities of about 1: float32 in another order of sums


def bundle(path: Path, scratch: Path, other: str) -> Trial:
    """`read_bundle` and `load` of a bundle of which any file is damaged, or replaced by one of the bundle `other`.

    "refused": both did, each for whatever it reads. "accepted": either let damage through. Of a file that `load` does
    not read, it may be that the answers are the sound bundle's, to the bit.
    """
    files, strangers = _files(path), _files(Path(other))
    sealed = read_bundle(path)
    manifest, folder = sealed.manifest, scratch / "bundle"
    samples = family(manifest.signature.family).synthetic(sealed.signature, count=2, seed=0)
    # Runtimes are imported here, once for all forks.
    sound = {item.file: repr(load(path, artifact=item.file).predict_many(samples)) for item in manifest.artifacts}

    def run(seed: int) -> tuple[str, str]:
        damaged = damage_bundle(files, strangers, seed)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in damaged.files.items():
            (folder / name).write_bytes(data)
        words = f"{damaged.kind} {' '.join(damaged.touched)}"
        if not _refused(lambda: read_bundle(folder)):
            return "accepted", f"read_bundle: {words}"
        for name in sorted(set(sound) & {*damaged.touched, manifest.artifacts[0].file}):
            read = {name, MANIFEST, *manifest.signature.asset_names}
            if read & set(damaged.touched):
                if not _refused(lambda name=name: load(folder, artifact=name)):
                    return "accepted", f"load {name}: {words}"
            elif repr(load(folder, artifact=name).predict_many(samples)) != sound[name]:
                return "accepted", f"other answers of {name}: {words}"
        return "refused", words

    return run


def validate(path: Path, scratch: Path, file: str) -> Trial:
    """What `dltk validate` says of a bundle with one artifact, `file`, damaged under a manifest that is valid.

    "error": the runtime refused it. "contained": it crashed the runtime or never ended, in the worker. "mismatch": the
    golden samples tell. Where all let it through, other pictures decide, the golden ones moved by a pixel to the four
    sides: "same" to the bit, "close" within the artifact's own tolerance, or "missed".
    """
    sealed, folder = read_bundle(path), scratch / "bundle"
    (artifact,) = (item for item in sealed.manifest.artifacts if item.file == file)
    signature = sealed.signature
    known = read_golden(sealed.files[GOLDEN], signature).raws
    raws = np.concatenate([np.roll(known, step, axis) for axis in (1, 2) for step in (1, -1)])
    tensors = family(signature.family).tensors(raws, signature)
    sound = open_artifact(artifact, sealed.files[file], signature).run(tensors)  # and imports the runtime for all forks
    subprocess.run = _forked  # type: ignore[assignment]

    def run(seed: int) -> tuple[str, str]:
        kind, data = damage_bytes(sealed.files[file], seed)
        _write(folder, sealed, artifact, data)
        try:
            replay(folder, isolated=True)
        except LimitError as fault:
            (found,) = fault.measured["artifacts"]  # type: ignore[index]
            return _judged(found["parity"], found["reasons"][0]), f"{kind}: {found['reasons'][0]}"
        try:
            now = run_worker(data, artifact.format, signature, raws).outputs
        except (InputError, LimitError) as fault:  # on samples other than the golden ones
            return "missed", f"{kind}: {fault}"
        if all(sound[name].tobytes() == now[name].tobytes() for name in sound):
            return "same", kind
        parity = compare(sound, now, signature, **_limits(artifact))
        return "close" if parity["passed"] else "missed", f"{kind}: {parity['error']:.3g}"

    return run


def _judged(parity: object, reason: str) -> str:
    if parity is not None:
        return "mismatch"
    return "contained" if "must not crash" in reason or "must run within" in reason else "error"


def _forked(command: list[str], *, timeout: float, **_: Any) -> subprocess.CompletedProcess[bytes]:
    """The worker's own program in a fork, which spares it the start of a Python and the imports: `command`'s job."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, timeout)  # SIGALRM ends it
        try:
            worker._main(Path(command[-1]))
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(command, timeout)
    return subprocess.CompletedProcess(command, status, b"", b"")


def pretend(path: Path, scratch: Path, how: str) -> Trial:
    """A trial that crashes, hangs or raises: a survey that would not tell says nothing of others."""

    def run(seed: int) -> tuple[str, str]:
        if how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hang":
            signal.pause()
        if how == "fault":
            raise RuntimeError("something odd")
        return "fine", str(seed)

    return run


def raw(path: Path, scratch: Path, file: str, how: str) -> Trial:
    """The bare runtime `how`, a key of `_RAW`, on a damaged `file`: "refused", "same" answers, or "differs"."""
    sealed = read_bundle(path)
    opened = read_golden(sealed.files[GOLDEN], sealed.signature)
    (tensors,) = opened.tensors.values()
    sound = _RAW[how](sealed.files[file], scratch / "model", tensors)

    def run(seed: int) -> tuple[str, str]:
        kind, data = damage_bytes(sealed.files[file], seed)
        try:
            found = _RAW[how](data, scratch / "model", tensors)
        except Exception as fault:  # whatever it raises, it did not answer
            return "refused", f"{kind}: {str(fault)[:200]}"
        same = found.shape == sound.shape and bool(np.allclose(found, sound, rtol=0, atol=_SAME))
        return "same" if same else "differs", kind

    return run


def _tflite_bytes(data: bytes, place: Path, tensors: NDArray[Any]) -> NDArray[Any]:
    from ai_edge_litert.interpreter import Interpreter

    return _answers(Interpreter(model_content=data, num_threads=1), tensors)


def _tflite_path(data: bytes, place: Path, tensors: NDArray[Any]) -> NDArray[Any]:
    import tensorflow as tf

    place.write_bytes(data)
    return _answers(tf.lite.Interpreter(model_path=str(place), num_threads=1), tensors)


def _answers(interpreter: Any, tensors: NDArray[Any]) -> NDArray[Any]:
    interpreter.allocate_tensors()
    found = []
    for tensor in tensors:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(found)


def _onnx_bytes(data: bytes, place: Path, tensors: NDArray[Any]) -> NDArray[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (found, *_) = session.run(None, {session.get_inputs()[0].name: tensors})
    return np.asarray(found)


_RAW = {"litert": _tflite_bytes, "ort": _onnx_bytes, "tf.lite": _tflite_path}


def _write(folder: Path, sealed: VerifiedBundle, artifact: Artifact, data: bytes) -> None:
    kept = {name: sealed.files[name] for name in (GOLDEN, "labels.txt", *sealed.signature.asset_names)}
    files = {**kept, artifact.file: data}
    manifest = replace(
        sealed.manifest,
        artifacts=(replace(artifact, bytes=len(data)),),
        files={name: file_entry(content) for name, content in files.items()},
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in {**files, MANIFEST: manifest.to_bytes()}.items():
        (folder / name).write_bytes(content)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except InputError:
        return True
    return False
