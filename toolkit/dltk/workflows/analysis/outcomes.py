"""The figures before and after a compression on the same test samples: of the float32 model, and of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import compared_inputs, family
from dltk.export.emit import Target, emit
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import Outcomes
from dltk.twin.graph import Graph
from dltk.validate import run_worker
from dltk.workflows.measure import Evaluation

__all__ = ["fitted_temperature", "outcomes", "temperature_of"]


def outcomes(
    graph: Graph,
    signature: Signature,
    target: Target,
    plan: QuantizationPlan | None,
    samples: Evaluation,
    *,
    after_temperature: float,
) -> Outcomes | None:
    """Figures before and after, as `training.report` has them; None where no prediction is right or wrong.

    Args:
        graph: deployed, of the compressed model.
        signature: of the source, with the temperature that was fitted to it.
        target: the file that is evaluated: "after" are its predictions in its runtime.
        samples: raws, targets and the predictions of the source's float32 model.
        after_temperature: as fitted to the compressed model on the validation split.
    """
    from dltk import training

    if samples.targets is None or not family(signature.family).metrics:
        return None
    found = run_worker(emit(graph, signature, target, plan), target.format, signature, samples.raws).outputs
    name, inputs = signature.outputs[0].name, compared_inputs(samples.raws, signature)
    return Outcomes(
        file=target.file,
        before=training.report(
            samples.baseline[name],
            samples.targets,
            signature,
            temperature=temperature_of(signature),
            inputs=inputs,
        ),
        after=training.report(found[name], samples.targets, signature, temperature=after_temperature, inputs=inputs),
    )


def temperature_of(signature: Signature) -> float:
    """The temperature of the confidences on the device; 1 if there is none."""
    last = signature.postprocess[-1] if signature.postprocess else {}
    return float(last.get("temperature", 1.0))


def fitted_temperature(model: Any, dataset: Dataset, signature: Signature, *, progress: Progress = SILENT) -> float:
    """The temperature that makes the confidences of a compressed Keras model honest on the validation split."""
    from dltk import training
    from dltk.training.evaluation.temperature import fit_temperature

    last = signature.postprocess[-1]["op"] if signature.postprocess else ""
    targets: NDArray[Any] = np.asarray(dataset.validation.targets)
    if last != "softmax" or not len(targets) or targets.ndim != 1:
        return temperature_of(signature)
    return fit_temperature(training.predict_outputs(model, dataset.validation, signature, progress=progress), targets)
