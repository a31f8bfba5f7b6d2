"""dltk's int8 files against those of other tools: same model, same calibration samples, same test images, one run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT
from dltk.edge.metrics import paired_bootstrap, top1_agreement
from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, at_most
from support.shell import ROOT, Failure

__all__ = ["Subject", "others"]

_LOWEST, _BYTES = -0.3, 1.02  # points that the interval must stay above; bytes over theirs
_QUANTIZER = "ai-edge-quantizer==0.10.0"
_ENVIRONMENT = ROOT / "build" / "bench" / "ai-edge-quantizer"


class Subject:
    """A Run with its float32 files, samples and dltk's own int8 files."""

    def __init__(self, source: Path, quantized: Path) -> None:
        from dltk import tasks
        from dltk.edge.families import family
        from dltk.export.emit import Target, emit
        from dltk.models.files.keras_file import open_keras
        from dltk.quantization.plan import QuantizationPlan
        from dltk.run import Run
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        run, made = Run.open(source), Run.open(quantized)
        settings, task = run.settings(), tasks.task(run.recipe.task)
        self.signature, self.graph = run.signature, read(open_keras(run.model_path))
        self.raws, self.targets = run.evaluation()
        dataset = task.prepare(settings, run.data_source, progress=SILENT)
        self._settings, self._dataset, self._model = settings, dataset, open_keras(run.model_path)
        self._calibration = lambda count: task.calibration(
            dataset, count=count or settings.calibration.samples, seed=settings.seed
        )
        raws = self._calibration(0)
        (self.samples,) = family(self.signature.family).tensors(raws, self.signature).values()
        plan = QuantizationPlan.load(made.quantization_path)
        mine = deployed_graph(read(open_keras(made.model_path)))
        flat = deployed_graph(self.graph)
        self.float32 = {name: emit(flat, self.signature, Target(name, "float32"), None) for name in ("tflite", "onnx")}
        self.int8 = {name: emit(mine, self.signature, Target(name, "int8"), plan) for name in ("tflite", "onnx")}

    def bench(self, run: Path) -> Any:
        """What the steps of a compression work with."""
        from dltk.compress.candidate import Workbench
        from dltk.export.emit import left_float
        from dltk.models.files.keras_file import open_keras

        return Workbench(
            source=self._model,
            dataset=self._dataset,
            signature=self.signature,
            seed=self._settings.seed,
            calibration=self._calibration,
            checkpoint=run / "unused",
            open_model=open_keras,
            left_float=left_float,
        )

    def training(self, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The samples (count, ...) and labels (count,) that the steps train on."""
        from dltk.compress.retrain import samples_of
        from dltk.edge.families import family

        train = samples_of(self._dataset, count, self._settings.seed).train
        (tensors,) = family(self.signature.family).tensors(train.take(slice(None)), self.signature).values()
        return tensors, train.targets

    def scores(self, data: bytes, kind: str) -> NDArray[np.float64]:
        """Right (1) or wrong (0) a test image."""
        return np.asarray(self.outputs(data, kind).argmax(-1) == self.targets, np.float64)

    def outputs(self, data: bytes, kind: str) -> NDArray[Any]:
        """Logits (n, classes) of a file with one input and one output."""
        from dltk.edge.families import family

        run, found = _RUNTIMES[kind](data), []
        for start in range(0, len(self.raws), 500):
            (tensors,) = family(self.signature.family).tensors(self.raws[start : start + 500], self.signature).values()
            found += [run(tensor[None]) for tensor in tensors]
        return np.concatenate(found)


def others(name: str, *, runs: Path, limit: int = 0) -> list[Figure]:
    """Accuracy and bytes of dltk's int8 files beside what `tf.lite`, ai-edge-quantizer and onnxruntime make."""
    subject = Subject(runs / name, runs / f"{name}-int8")
    mine = {kind: subject.scores(data, kind) for kind, data in subject.int8.items()}
    command = f"python tests/benchmarks/bench.py --only others-{name}"
    found: list[Figure] = []
    for title, kind, make in _TOOLS:
        data = make(subject)
        theirs = subject.scores(data, kind)
        mean, low, high = (100 * value for value in paired_bootstrap(mine[kind], theirs, seed=0))
        words = f"{low:+.2f} to {high:+.2f}, 95% paired bootstrap, {len(theirs):,} images"
        what = f"{kind}: points of accuracy above {title} ({theirs.mean():.4f})"
        found.append(_figure(name, what, command, f"{mean:+.2f}", words, "above -0.3", low > _LOWEST))
        share = len(subject.int8[kind]) / len(data)
        what, words = f"{kind}: bytes relative to {title}", f"{len(subject.int8[kind]):,} and {len(data):,} bytes"
        found.append(_figure(name, what, command, f"{share:.3f}", words, "at most 1.02", at_most(share, _BYTES)))
    both = [subject.outputs(subject.int8[kind], kind) for kind in ("tflite", "onnx")]
    agreed = top1_agreement(*both)
    what = "top-1 agreement of the two int8 files of one plan"
    words = f"{len(both[0]):,} images"
    return [*found, _figure(name, what, command, f"{agreed:.4f}", words, "at least 0.995", at_least(agreed, 0.995))]


def _figure(name: str, what: str, command: str, value: str, words: str, target: str, met: bool) -> Figure:
    return Figure(f"others-{name}", what, command, value, words, target, met, machine())


def _litert(data: bytes) -> Callable[[NDArray[Any]], NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=2)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(tensor: NDArray[Any]) -> NDArray[Any]:
        if given["dtype"] == np.int8:  # ai-edge-quantizer's files have integers at their borders, too
            scale, zero = given["quantization"]
            tensor = np.clip(np.round(tensor / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        found = np.asarray(interpreter.get_tensor(made["index"]))
        scale, zero = made["quantization"]
        return found if found.dtype != np.int8 else (found.astype(np.float32) - zero) * scale

    return run


def _onnx(data: bytes) -> Callable[[NDArray[Any]], NDArray[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda tensor: np.asarray(session.run(None, {given.name: tensor})[0])


_RUNTIMES = {"tflite": _litert, "onnx": _onnx}  # other tools' files have names of their own, which dltk.edge refuses


def _tf_lite(subject: Subject) -> bytes:
    """Post-training integer quantization as TensorFlow's guide shows it."""
    import tensorflow as tf

    from dltk.twin.build import build

    converter = tf.lite.TFLiteConverter.from_keras_model(build(subject.graph))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in subject.samples)
    return bytes(converter.convert())


def _onnxruntime(subject: Subject) -> bytes:
    """Static quantization as onnxruntime's guide shows it: QDQ, per channel, uint8 activations, min-max."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            name = subject.signature.inputs[0].name
            self.rows = iter([{name: sample[None]} for sample in subject.samples])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.rows, None)

    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as folder:
        source, ready, target = (Path(folder, f"{name}.onnx") for name in ("float32", "ready", "int8"))
        source.write_bytes(subject.float32["onnx"])
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(target),
            Samples(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _ai_edge_quantizer(subject: Subject) -> bytes:
    """ai-edge-quantizer's static recipe on the float32 file, in an environment of its own."""
    python = _ENVIRONMENT / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", _QUANTIZER], check=True)
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as folder:
        Path(folder, "float32.tflite").write_bytes(subject.float32["tflite"])
        np.save(Path(folder, "samples.npy"), subject.samples)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run([str(python), "-c", _STATIC, folder], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"ai-edge-quantizer: {done.stderr[-2000:]}")
        return Path(folder, "int8.tflite").read_bytes()


_STATIC = """
import sys, pathlib, numpy as np
from ai_edge_quantizer import quantizer, recipe
folder = pathlib.Path(sys.argv[1])
tool = quantizer.Quantizer(str(folder / "float32.tflite"))
tool.load_quantization_recipe(recipe.static_wi8_ai8())
from ai_edge_litert.interpreter import Interpreter
runner = Interpreter(str(folder / "float32.tflite")).get_signature_runner()
(name,) = runner.get_input_details()
samples = np.load(folder / "samples.npy")
found = tool.calibrate({"serving_default": [{name: sample[None]} for sample in samples]})
tool.quantize(found).export_model(str(folder / "int8.tflite"), overwrite=True)
"""

_TOOLS: tuple[tuple[str, str, Callable[[Subject], bytes]], ...] = (
    ("tf.lite post-training int8", "tflite", _tf_lite),
    ("ai-edge-quantizer static int8", "tflite", _ai_edge_quantizer),
    ("onnxruntime quantize_static", "onnx", _onnxruntime),
)
