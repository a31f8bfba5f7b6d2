"""Models against every step: what each outcome is, checked down to the files and their runtimes.

An outcome is a plain JSON value that depends on the model and the step alone: kinds of layers, never their names.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

import small
import zoo
from dltk.base.errors import DltkError
from dltk.base.progress import Silent
from dltk.compress.candidate import Candidate, Outcome, Workbench
from dltk.compress.channels import Channels, channels
from dltk.compress.cluster import Cluster, cluster
from dltk.compress.prune import Prune, prune
from dltk.compress.quantize import Quantize, quantize
from dltk.data.dataset import Dataset, Split
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import FAMILIES
from dltk.edge.families.classification import Classification
from dltk.export.emit import Target, emit, left_float
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.fake_quant import rounded, rounding_hook
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.build import build
from dltk.twin.graph import Graph
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph
from rows import MODELS

CHILD = Path(__file__).with_name("matrix_child.py")
COUNT, CALIBRATION = 32, 24  # samples
# A tensor is rounded to the file's steps in another order than in the simulation: where a value lies between two, each
# may take its own, and the layers behind carry it on. Steps are 1/255 of an output's range.
STEPS = 6.0
COSINE = 0.99  # what `dltk export` holds int8 files to: here deep models, and each runtime's own ranges against float


QAT = Quantize(method="qat", epochs=1, batch_size=16, ranges="min-max", repair=False)
STEPS_TAKEN: Mapping[str, tuple[Callable[..., Outcome], Any]] = {
    "prune": (prune, Prune(epochs=1, batch_size=16, smallest=0)),
    # Half of every group: what is left does not hang on how channels rank.
    "channels": (channels, Channels(epochs=1, batch_size=16, keep=0.5, scope="layer", multiple_of=1)),
    "cluster": (cluster, Cluster(epochs=1, batch_size=16, smallest=0, clusters=8)),
    "int8": (quantize, Quantize(repair=False)),
    "qat": (quantize, QAT),
}
COLUMNS = ("twin", *STEPS_TAKEN)
_ORDINARY = ("no kernel", "no weights", "output of the model")  # no word is lost about these
Found = dict[str, Any]


class Packed(Classification):
    """Raw samples that hold all inputs of a model one behind the other, float32 (n, numbers)."""

    name = "packed"

    def tensors(self, raws: Any, signature: Signature) -> dict[str, Any]:
        """Each input in its shape and dtype."""
        found, start = {}, 0
        for spec in signature.inputs:
            end = start + int(np.prod(spec.sample_shape))
            found[spec.name] = raws[:, start:end].reshape(-1, *spec.sample_shape).astype(spec.dtype)
            start = end
        return found


FAMILY = Packed()


@dataclass
class Watched(Silent):
    """Counts what is begun: a refusal must come before anything is."""

    begun: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def bar(self, label: str, total: int) -> Any:
        """As Silent has it."""
        self.begun.append(label)
        return super().bar(label, total)


def outcomes(name: str, folder: Path, columns: Iterable[str] = COLUMNS) -> dict[str, Found]:
    """Column -> outcome of the model called `name`; every file that a step allows is run in a process of its own."""
    FAMILIES[Packed.name] = __name__
    keras.utils.clear_session()
    model = zoo.shake(MODELS[name].make())
    found: dict[str, Found] = {}
    for column in columns:
        if column == "twin":
            found[column] = _attempt(lambda: _twin(model), Watched())
            continue
        step, settings = STEPS_TAKEN[column]
        if column == "int8" and MODELS[name].deep:
            settings = replace(settings, ranges="min-max")
        watched = Watched()
        bench = _bench(name, model, folder / f"{column}.npz", watched)

        def take(step: Any = step, settings: Any = settings, bench: Workbench = bench) -> Found:
            return _checked(step(Candidate(model), settings, bench), model, bench, folder, MODELS[name].deep)

        found[column] = _attempt(take, watched)
    return found


def _attempt(work: Callable[[], Found], watched: Watched) -> Found:
    try:
        return work()
    except DltkError as refusal:
        if watched.begun:
            raise AssertionError(f"refused after {watched.begun}") from refusal
        return {"outcome": "refused", "because": refusal.rule}


def _bench(name: str, model: Any, checkpoint: Path, watched: Watched) -> Workbench:
    values = zoo.samples(model, COUNT + 8)
    store = np.concatenate([np.asarray(part, np.float32).reshape(len(part), -1) for part in values], axis=1)
    classes = int(model.outputs[0].shape[-1])
    targets = np.random.Generator(np.random.PCG64(5)).integers(0, classes, len(store))
    sides = [Split(store, rows, targets[rows]) for rows in np.split(np.arange(len(store)), [COUNT, COUNT + 4])]
    labels = tuple(map(str, range(classes)))
    dataset = Dataset(*sides, labels, f"matrix {name}", "made up", {})
    signature = replace(zoo.signature(model), family=Packed.name, postprocess=_postprocess(model))

    def calibration(count: int) -> Any:
        watched.begun.append("calibration")
        return store[: count or CALIBRATION]

    return Workbench(
        model, dataset, signature, 0, calibration, checkpoint, keras.saving.load_model, left_float, progress=watched
    )


def _postprocess(model: Any) -> tuple[Mapping[str, Any], ...]:
    ends = getattr(model.layers[-1], "activation", None)
    return () if getattr(ends, "__name__", "") == "softmax" else ({"op": "softmax", "temperature": 1.0},)


def _fed(values: list[Any]) -> Any:
    return values if len(values) > 1 else values[0]


def _twin(model: Any) -> Found:
    _require_same(model, read(model))
    return {"outcome": "done"}


def _require_same(model: Any, graph: Graph) -> None:
    """A twin may be off by 1e-6 of the largest output, or by as much as Keras is if its input moves by one float32.

    Deep nets with random weights carry each rounding on and enlarge it.
    """
    values = zoo.samples(model, 8)
    error, largest = zoo.twin_error(model, build(graph), _fed(values))
    if error > 1e-6 * max(1.0, largest):
        moved = [np.nextafter(part, part + 1) if part.dtype.kind == "f" else part for part in values]
        pairs = zip(zoo.expected(model, values), zoo.expected(model, moved), strict=True)
        itself = max(float(np.abs(one - other).max()) for one, other in pairs)
        assert error <= 2 * itself, f"{error}, where Keras itself moves by {itself}"


def _checked(outcome: Outcome, model: Any, bench: Workbench, folder: Path, deep: bool) -> Found:
    """The outcome in words, its model and files seen to compute."""
    plan, made = outcome.candidate.plan, outcome.candidate.model
    graph = deployed_graph(read(made)) if plan else read(made)
    kinds = {**deployed_graph(read(model)).layers, **graph.layers, **read(model).layers}
    if plan is not None:
        _check_files(graph, plan, bench, folder, deep)
    elif outcome.changed:
        assert all(np.isfinite(part).all() for part in zoo.expected(made, zoo.samples(made, 4)))
        _require_same(made, graph)
    left: dict[str, set[str]] = {}
    for item in outcome.skipped:
        if not item.reason.startswith(_ORDINARY):
            left.setdefault(item.reason, set()).add(_kind(kinds[item.layer]))
    found: Found = {"outcome": ("done, but" if left else "done") if outcome.changed else "left"}
    if plan is not None and plan.ranges == "native":
        found["ranges"] = "native"
    return found | ({"left": {reason: sorted(left[reason]) for reason in sorted(left)}} if left else {})


def _kind(layer: Any) -> str:
    return f"Activation {layer.config['activation']}" if layer.kind == "Activation" else str(layer.kind)


def _check_files(graph: Graph, plan: QuantizationPlan, bench: Workbench, folder: Path, deep: bool) -> None:
    """Raise AssertionError where a file does not say what its simulation, or for native ranges the model, says."""
    tensors = FAMILY.tensors(bench.dataset.train.take(slice(0, 16)), bench.signature)
    given = [tensors[spec.name] for spec in bench.signature.inputs]
    hook = rounding_hook(plan.tensors) if plan.tensors else None
    wanted = build(_simulated(graph, plan), hook=hook)(_fed(given))
    expected = [np.asarray(part) for part in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    for form in ("tflite", "onnx"):
        data = emit(graph, bench.signature, Target(form, "int8"), plan)
        answers = run_alone(data, form, tensors, folder)
        for spec, simulated in zip(bench.signature.outputs, expected, strict=True):
            _compare(answers[spec.name], simulated, plan.ranges == "native", deep, f"{form}, {spec.name}")


def _simulated(graph: Graph, plan: QuantizationPlan) -> Graph:
    if plan.ranges == "native":
        return graph
    whole = with_corrections(graph, plan)
    layers = {name: rounded(layer, plan.weights[name]) if name in plan.weights else layer
              for name, layer in whole.layers.items()}  # fmt: skip
    return replace(whole, layers=layers)


def _compare(found: Any, simulated: Any, native: bool, deep: bool, where: str) -> None:
    """All values within STEPS; in a deep model, where a step grows from layer to layer, their mean, and the cosine."""
    assert found.shape == simulated.shape, where
    if native or deep:
        lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(simulated, axis=-1)
        cosine = float(((found * simulated).sum(-1) / lengths).mean())
        assert cosine >= COSINE, f"{where}: mean cosine {cosine:.4f}"
    if native:
        return
    step = max(float(np.ptp(simulated)), 1e-3) / 255
    steps = np.abs(found - simulated) / step
    off = float(steps.mean() if deep else steps.max())
    assert off <= STEPS, f"{where}: {off:.1f} steps from the simulation"


def run_alone(data: bytes, form: str, tensors: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Outputs of a file by name, computed in a process that cannot import TensorFlow."""
    (folder / "model").write_bytes(data)
    np.savez(folder / "tensors.npz", **tensors)
    words = [sys.executable, str(CHILD), form, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=small.environment())
    assert done.returncode == 0, done.stderr
    with np.load(folder / "outputs.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}
