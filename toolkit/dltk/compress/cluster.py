"""Weight sharing: every kernel of a layer comes down to a few values, trained while they are shared.

A smaller download, nothing faster: the file still holds one byte a weight, but few different ones, which compress well
(Han et al. 2015, arXiv:1510.00149). Assignments are not fixed: each weight trains on and moves to the nearest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dltk.compress.candidate import Candidate, Outcome, Skipped, Workbench
from dltk.compress.qat.codebook import PRUNED, kernel_constraint
from dltk.compress.qat.recast import DeployedModel, as_deployed_model, load_trained_weights
from dltk.compress.retrain import (
    Retrain,
    require_float,
    require_layers,
    require_targets,
    skip_reason,
    trainer_for,
    validation_comparison,
)
from dltk.quantization.calibration import graph_inputs
from dltk.quantization.codes import distinct_codes as codes_in
from dltk.quantization.codes import sparsity
from dltk.recipe.settings import setting
from dltk.twin.graph import Layer
from dltk.twin.table import row

__all__ = ["Cluster", "cluster"]


@dataclass(frozen=True)
class Cluster(Retrain):
    """Settings of the step."""

    clusters: int = setting(16, "number of distinct values of a kernel, including zero", low=4, high=64)
    start: Literal["kmeans++", "linear"] = setting("kmeans++", "initial values: k-means++ or evenly spaced")
    smallest: int = setting(1000, "skip kernels with fewer weights", low=0)
    keep: tuple[str, ...] = setting((), "names of layers to skip, split by ,")
    equalize: bool = setting(True, "equalize channel ranges first, so that int8 loses less")


def cluster(candidate: Candidate, settings: Cluster, bench: Workbench) -> Outcome:
    """Train `candidate` while the weights of each kernel share `settings.clusters` values; zeros stay zeros.

    What comes out has batch norm folded: values are shared in steps of the scales that an int8 file has, so that
    quantizing keeps them.

    Raises:
        StepOrderError: if `candidate` is already quantized.
        InputError: if the task has no targets to train toward, or `keep` names no layer.
        LimitError: if the loss becomes NaN.
    """
    require_float(candidate, "cluster", "it changes weights")
    require_targets(bench, "cluster")
    from dltk.models.backend import require_tensorflow
    from dltk.training import run
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    require_tensorflow()
    graph = deployed_graph(read(candidate.model))
    require_layers(settings.keep, graph, "--step cluster:keep=")
    skipped = {name: reason for name, layer in graph.layers.items() if (reason := _skip_reason(layer, settings))}
    listed = tuple(Skipped(name, reason) for name, reason in skipped.items())
    changed = tuple(name for name in graph.layers if name not in skipped)
    if not changed:
        return Outcome(candidate, (), listed, {}, ("no layer can be clustered: the model is unchanged",))
    made = as_deployed_model(
        graph, graph_inputs(graph, bench.calibration(0), bench.signature), equalize=settings.equalize
    )
    twin, layers = _twin(made, changed, settings, bench.seed)
    trainer = trainer_for(twin, settings, bench, name="cluster")
    history = run(trainer, checkpoint=bench.checkpoint, resume=bench.resume, progress=bench.progress)
    load_trained_weights(made, layers)
    validation, worse = validation_comparison(trainer, history, candidate, settings, bench)
    figures = {"epochs": history, "clusters": _distinct_values(made.model, changed), **validation}
    return Outcome(Candidate(made.model), changed, listed, figures, worse)


def _skip_reason(layer: Layer, settings: Cluster) -> str:
    """The reason to leave a layer alone; empty for one that is clustered."""
    rules = row(layer.kind, layer.config)
    on_grid = rules.int8 and not rules.native
    own = "" if on_grid else f"values are shared on the int8 grid: {rules.why_float}"
    return skip_reason(layer, "cluster", keep=settings.keep, smallest=settings.smallest, own=own)


def _twin(made: DeployedModel, changed: tuple[str, ...], settings: Cluster, seed: int) -> tuple[Any, dict[str, Any]]:
    from dltk.compress.qat.codebook import find_codebook
    from dltk.compress.qat.layers import kernel_wrapper
    from dltk.twin.build import build

    forms = {}
    for name in changed:
        layer = made.graph.layers[name]
        forms[name] = kernel_constraint(layer, find_codebook(layer, settings.clusters, start=settings.start, seed=seed))
    # What is pruned and not clustered keeps its zeros too.
    forms |= {name: kernel_constraint(layer) for name, layer in made.graph.layers.items()
              if name not in forms and row(layer.kind, layer.config).int8 and sparsity(layer) >= PRUNED}  # fmt: skip
    layers: dict[str, Any] = {}
    return build(made.graph, wrap=kernel_wrapper(made.graph, forms, layers)), layers


def _distinct_values(model: Any, changed: tuple[str, ...]) -> dict[str, int]:
    """Layer -> how many different values its kernel takes."""
    from dltk.twin.read import read

    layers = read(model).layers
    return {name: codes_in(layers[name]) for name in changed}
