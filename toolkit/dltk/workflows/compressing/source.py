"""The run that is compressed, read once, and what was asked of it: `--resume` needs the same."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import parse_json, read_capped, sha256, sweep_tree
from dltk.base.progress import Progress
from dltk.compress.candidate import Workbench
from dltk.compress.steps import Planned, parse_steps
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.device import Device
from dltk.export.emit import left_float
from dltk.models.files.keras_file import open_keras
from dltk.recipe.settings import format_value
from dltk.report.schema import Report
from dltk.run import ASKED, Run
from dltk.search.limits import Limits
from dltk.workflows.preflight import require_place, require_training_packages

__all__ = ["Source", "made_by", "started_with"]

_INPUT = ("range", "channels", "check")  # of an adopted model, as `--set input.KEY=VALUE` takes them


@dataclass(frozen=True)
class Source:
    """The run that is compressed, and what was asked of it.

    Attributes:
        commands: those that made it, from the data on.
        planned: the steps to take; none where they are to be found.
        asked: its model, the steps and the limits, and the machine where there is a limit on latency.
    """

    run: Run
    settings: Any
    signature: Signature
    metrics: Any
    commands: tuple[str, ...]
    planned: tuple[Planned, ...]
    asked: Mapping[str, Any]

    @classmethod
    def open(
        cls, path: str | Path, steps: Sequence[str], limits: Limits, device: Device, *, trust_recipe: bool
    ) -> Source:
        """Everything that a compression takes of the run at `path`, but for its data and its model.

        Args:
            steps: as `--step` takes them; the plan of the run's recipe when empty and without limits.

        Raises:
            UsageError, StepOrderError: if the steps do not fit.
            InputError: if there is no finished run, or a file of it is missing or damaged.
        """
        typed = parse_steps(steps)
        run = Run.open(path, trust_recipe=trust_recipe)
        settings, signature, metrics = run.settings(), run.signature, run.read_json("metrics")
        digest, commands = sha256(read_capped(run.model_path)), tuple(made_by(run))
        planned = typed or parse_steps(() if limits else settings.compress.steps)
        asked: dict[str, Any] = {"model": digest, "steps": [step.as_dict() for step in planned]}
        if limits.latency is not None:  # times of two machines cannot be compared; the free threads may change
            asked["machine"] = {key: value for key, value in device.machine.items() if key != "threads"}
        if limits:
            asked["limits"] = limits.as_dict()
        return cls(run, settings, signature, metrics, commands, planned, asked)

    @property
    def task(self) -> tasks.Task:
        """What its model does."""
        return tasks.task(self.run.task)

    def dataset(self, progress: Progress) -> Dataset:
        """Its data, as it was trained on them.

        Raises:
            InputError: if they are not there, or changed.
        """
        dataset = self.task.prepare(self.settings, self.run.openable_source, progress=progress)
        if dataset.digest != self.run.data.get("digest"):
            hint = "Restore the data: the test samples would no longer be unseen."
            rule = "must still be the data the run was made with"
            raise InputError(self.run.data_source, rule, "changed samples", hint)
        return dataset

    def workbench(self, made: Run, *, resume: bool, progress: Progress) -> Workbench:
        """What the steps of a compression into `made` work with; what can be refused is refused before it is opened.

        Raises:
            InputError: if the model is quantized already, model or data cannot be opened, or the data changed.
            EnvironmentFault: if what trains is not installed, or no run can be written at `made`.
        """
        if self.run.quantization_path.is_file():
            hint = "Compress the run that it was made from."
            raise InputError(self.run.path, "is quantized already", hint=hint)
        require_place(made.path, 2 * os.path.getsize(self.run.model_path))
        require_training_packages()
        task, settings = self.task, self.settings
        dataset = self.dataset(progress)  # before TensorFlow is loaded, which takes its time
        model = open_keras(self.run.model_path)
        from dltk.training.features import refresh_dataset

        dataset = refresh_dataset(task, model, dataset, self.signature, settings)
        return Workbench(
            source=model,
            dataset=dataset,
            signature=self.signature,
            seed=settings.seed,
            calibration=lambda count: task.calibration(
                dataset, count=count or settings.calibration.samples, seed=settings.seed
            ),
            checkpoint=made.checkpoints / "step.npz",
            open_model=open_keras,
            left_float=left_float,
            augment=getattr(settings, "augment", None),
            resume=resume,
            progress=progress,
        )


def started_with(path: Path, asked: Mapping[str, Any]) -> Run | None:
    """The compression to resume; None if it was killed before it began.

    Raises:
        InputError: if it was begun with other steps, limits or another model.
    """
    if not (path / f"{ASKED}.json").is_file():
        return None
    sweep_tree(path)
    begun = parse_json(read_capped(path / f"{ASKED}.json", 10_000_000), path)
    machine, device = (told.get("machine") for told in (begun, asked))
    if machine != device and begun == {**asked, "machine": machine}:
        hint = "Resume on that machine, with the same --host, or give another --run."
        raise InputError(path, f"was begun with latencies of {_named(machine)}", _named(device), hint)
    if begun != asked:
        hint = "Resume with the same steps, limits and source, or give another --run."
        raise InputError(path, "was begun with other steps or another model", hint=hint)
    return Run(path)


def made_by(source: Run) -> list[str]:
    """Lines for a shell: how `source` was made. Of a recipe's settings those are named that differ from its own."""
    found = Report.of(source)
    if found is not None and found.commands:
        return list(found.commands[:-1])  # without its export
    told = source.read_json("recipe")
    recipe = str(source.path / "recipe.py") if told["recipe"] == "recipe.py" else str(told["recipe"])
    notes: Any = source.read_json("notes") if (source.path / "notes.json").is_file() else {}
    pairs = source.changed_settings()
    end = ["--data", source.data_source, "--run", str(source.path)]
    if "adopted" in notes:
        pairs |= {f"input.{key}": notes[key] for key in _INPUT if key in notes}
        words = ["dltk", "adopt", str(notes["adopted"]), "--recipe", recipe, *end]
    else:
        words = ["dltk", "finetune", recipe, *end, *(["--smoke"] if told["smoke"] else [])]
    words += [word for key, value in pairs.items() for word in ("--set", f"{key}={format_value(value)}")]
    return [shlex.join(words)]


def _named(machine: Any) -> str:
    return f"{machine.get('host', 'this machine')}: {machine.get('cpu')} {' '.join(machine.get('instructions', ()))}"
