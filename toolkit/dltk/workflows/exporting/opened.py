"""A finished run as export takes it: its folder's files, read once, and its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import read_capped, sha256
from dltk.edge.bundle.signature import Signature
from dltk.models.files.keras_file import open_keras
from dltk.quantization.plan import QuantizationPlan
from dltk.recipe.settings import as_dict, digest
from dltk.report.schema import Report
from dltk.run import Run
from dltk.twin.graph import Graph
from dltk.workflows.measure import Kept

__all__ = ["Opened"]


@dataclass(frozen=True)
class Opened:
    """What export reads of a run.

    Attributes:
        samples: what its files are evaluated with.
        report: its report.json; None if it was not compressed.
        recipe: the bytes of its recipe.json.
        data: where its samples come from, and their digest.
        recipe_digest, plain_settings: of the resolved settings, and their plain JSON values.
        notes: what is to be known of its weights.
        plan: None where it was not quantized, as `plan_digest` is.
        model_digest, plan_digest: SHA-256 of model.keras and quantization.npz.
    """

    run: Run
    settings: Any
    signature: Signature
    samples: Kept
    metrics: Any
    report: Report | None
    recipe: bytes
    recipe_digest: str
    plain_settings: Mapping[str, Any]
    data: Mapping[str, Any]
    notes: Mapping[str, str]
    model_digest: str
    plan: QuantizationPlan | None
    plan_digest: str | None

    @classmethod
    def open(cls, path: str | Path, *, trust_recipe: bool) -> Opened:
        """Read the run at `path`.

        Raises:
            InputError: if there is no finished run, or a file of it is missing or damaged.
        """
        run = Run.open(path, trust_recipe=trust_recipe)
        settings, signature, plan = run.settings(), run.signature, run.quantization_path
        notes = run.read_json("notes") if (run.path / "notes.json").is_file() else {}
        return cls(
            run=run,
            settings=settings,
            signature=signature,
            samples=Kept.of(run, signature),
            metrics=run.read_json("metrics"),
            report=Report.of(run),
            recipe=read_capped(run.path / "recipe.json"),
            data=run.data,
            notes={str(name): str(text) for name, text in notes.items()},
            model_digest=sha256(read_capped(run.model_path)),
            plan=QuantizationPlan.load(plan) if plan.is_file() else None,
            plan_digest=sha256(read_capped(plan)) if plan.is_file() else None,
            plain_settings=as_dict(settings),
            recipe_digest=digest(settings),
        )

    @property
    def source(self) -> str | None:
        """The run that it was compressed from, as its report has it."""
        return self.report.source or None if self.report else None

    def model(self) -> tuple[Any, Graph]:
        """Its Keras model, and the graph that files are made of.

        Raises:
            InputError: if the model cannot be opened, or the plan is another model's.
        """
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        model, plan = open_keras(self.run.model_path), self.plan
        graph = deployed_graph(read(model))
        layers = set(graph.layers)
        if plan is not None and not {*plan.weights, *plan.floats} <= layers:
            strange = sorted({*plan.weights, *plan.floats} - layers)
            hint = "Compress again, and export the new run."
            raise InputError(self.run.quantization_path, "must be the plan of this run's model", strange, hint)
        return model, graph
