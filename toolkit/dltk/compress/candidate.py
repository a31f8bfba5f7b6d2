"""What a compression step takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.device import THIS_MACHINE, Device
from dltk.quantization.plan import QuantizationPlan
from dltk.recipe.groups import Augmentation
from dltk.twin.graph import Graph

__all__ = ["Candidate", "Outcome", "Skipped", "Step", "Workbench"]


@dataclass(frozen=True)
class Candidate:
    """A model and its quantization plan; a step takes one and returns a new one.

    Attributes:
        model: Keras 3, with float weights; never changed by a step.
        plan: None until a step quantizes.
    """

    model: Any
    plan: QuantizationPlan | None = None


@dataclass(frozen=True)
class Workbench:
    """What steps work with.

    Attributes:
        source: the model before any compression: the teacher of every step that trains.
        calibration: count -> raw training samples (count, ...), stratified and seeded; 0: as many as in the run's
        settings.
        checkpoint: file that a step which trains keeps its state in.
        open_model: path -> an untrusted Keras 3 model, opened in safe mode.
        left_float: (deployed graph, signature, plan without ranges) -> layer and why the plan's file has it in float32.
        students: those, as `distil:student=` takes them, whose recipe may be a file to execute; None: any.
        device: the machine that files are timed on.
        resume: continue from that file, if it exists.
    """

    source: Any
    dataset: Dataset
    signature: Signature
    seed: int
    calibration: Callable[[int], NDArray[Any]]
    checkpoint: Path
    open_model: Callable[[Path], Any]
    left_float: Callable[[Graph, Signature, QuantizationPlan], Mapping[str, str]]
    students: frozenset[str] | None = frozenset()
    device: Device = THIS_MACHINE
    augment: Augmentation | None = None
    resume: bool = False
    progress: Progress = SILENT


@dataclass(frozen=True)
class Skipped:
    """A layer that a step left alone, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a step made, layer by layer: each is in `changed` or in `skipped`."""

    candidate: Candidate
    changed: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One row of the table of steps.

    Attributes:
        defaults: frozen settings, changed by `--step NAME:KEY=VALUE`.
        apply: (candidate, settings, workbench) -> Outcome.
        stage: a step may not come after one of a later stage, ...
        order_reason: ... and this is why, after "must come before ...".
    """

    defaults: Any
    apply: Callable[[Candidate, Any, Workbench], Outcome]
    stage: int
    order_reason: str
