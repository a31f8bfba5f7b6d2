"""Quantization-aware training: weights and ranges learn with the rounding in place.

The twin computes on the grids that the files will have (Jacob et al. 2018, arXiv:1712.05877), starting from calibrated
ranges, and learns the ranges too. The grids are put in while the twin is built, once. tfmot's `quantize_apply` builds
the graph four times, and never ends where a name that it gives to half a separable convolution is taken already: see
docs/explanation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.qat.codebook import FIXED_CODES, kernel_constraint
from dltk.compress.qat.recast import DeployedModel, as_deployed_model, load_trained_weights
from dltk.compress.retrain import Retrain, require_targets, trainer_for, validation_comparison
from dltk.quantization.calibration import calibrate, graph_inputs, input_limits, weight_scales
from dltk.quantization.codes import int8_codes, is_clustered
from dltk.quantization.plan import Affine8, QuantizationPlan
from dltk.quantization.scheme import Scheme
from dltk.quantization.shared_ranges import native_loops
from dltk.twin.graph import Graph, Layer

__all__ = ["QatResult", "train_quantized"]


@dataclass(frozen=True)
class QatResult:
    """What quantization-aware training gives: a candidate with its plan, history, and `validation_comparison`."""

    candidate: Candidate
    graph: Graph
    history: list[Any]
    validation: Mapping[str, Any]
    worse: tuple[str, ...]


def train_quantized(
    candidate: Candidate,
    settings: Retrain,
    bench: Workbench,
    *,
    ranges: str,
    samples: int,
    equalize: bool,
    scheme: Scheme,
) -> QatResult:
    """Train `candidate` on its int8 grids; zeros and codebooks that are there are kept.

    Args:
        ranges: how the ranges are found that training starts from, as `calibrate` takes it.
        samples: calibration samples; 0: as in the run's settings.
        equalize: bring channels to like ranges first; never done where kernels are clustered.
        scheme: layers that stay float.

    Raises:
        InputError: if the task has no targets, or the model has layers that only calibrate natively.
        LimitError: if the loss becomes NaN.
    """
    require_targets(bench, "quantize:method=qat")
    from dltk.training import run
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    graph = deployed_graph(read(candidate.model))
    _require_shared(graph)
    tensors = graph_inputs(graph, bench.calibration(samples), bench.signature)
    made, limits = as_deployed_model(graph, tensors, equalize=equalize), input_limits(graph, bench.signature)
    plan = calibrate(made.graph, tensors, limits=limits, method=ranges, scheme=scheme, progress=bench.progress)
    twin, grids, layers = _twin(made, plan, limits, scheme.keep)
    trainer = trainer_for(twin, settings, bench, name="qat")
    history = run(trainer, checkpoint=bench.checkpoint, resume=bench.resume, progress=bench.progress)
    load_trained_weights(made, layers)
    trained = deployed_graph(read(made.model))
    told = dict(plan.calibration) | {"trained": True}
    learnt = replace(plan, tensors=grids.learnt(), weights=weight_scales(trained, scheme), calibration=told)
    validation, worse = validation_comparison(trainer, history, candidate, settings, bench)
    return QatResult(Candidate(made.model, learnt), trained, history, validation, worse)


def _require_shared(graph: Graph) -> None:
    loops = native_loops(graph)
    if loops:
        rule = "cannot be trained on int8 grids: each runtime calibrates recurrent layers for itself"
        raise InputError("--step quantize:method=qat", rule, ", ".join(loops), "Use method=calibrate.")


def _twin(
    made: DeployedModel, plan: QuantizationPlan, limits: Mapping[str, Any], keep: frozenset[str]
) -> tuple[Any, Any, dict[str, Any]]:
    from dltk.compress.qat.layers import ActivationGrids, kernel_wrapper
    from dltk.twin.build import build

    forms = {name: kernel_constraint(layer, _codebook(layer)) for name, layer in made.graph.layers.items()
             if name in plan.weights and name not in plan.floats}  # fmt: skip
    known = frozenset(name for name, limit in limits.items() if limit is not None)
    layers: dict[str, Any] = {}
    start = {name: grid for name, grid in plan.tensors.items() if isinstance(grid, Affine8)}
    grids = ActivationGrids(made.graph, start, known, keep)
    return build(made.graph, hook=grids, wrap=kernel_wrapper(made.graph, forms, layers)), grids, layers


def _codebook(layer: Layer) -> NDArray[np.float32] | None:
    """The values that the kernel shares now, to be kept shared; None where it shares none."""
    found = int8_codes(layer) if is_clustered(layer) else None
    return None if found is None else np.setdiff1d(found, np.asarray(FIXED_CODES)).astype(np.float32)
