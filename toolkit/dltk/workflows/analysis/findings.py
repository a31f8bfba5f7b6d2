"""The parts of a compression report other than sizes and steps, computed while TensorFlow is loaded.

It is kept in the run's report.json, so that `dltk report` only reads. A bundle carries it on, without times and without
the folders of the machine that made it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace

from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned
from dltk.export.emit import Target
from dltk.report.schema import Report
from dltk.run import Run
from dltk.workflows.analysis.divergence import divergence
from dltk.workflows.analysis.layers import layer_rows
from dltk.workflows.analysis.outcomes import fitted_temperature, outcomes, temperature_of
from dltk.workflows.analysis.steps import state_rows
from dltk.workflows.measure import Evaluation

__all__ = ["bundle_findings", "findings"]


def findings(
    made: Run,
    candidate: Candidate,
    bench: Workbench,
    planned: Sequence[Planned],
    report: Report,
    samples: Evaluation,
    *,
    control: bool,
) -> Report:
    """`report` with the effect of each step, layers, divergence, and figures before and after.

    Args:
        made: holds the models between steps already.
        planned: the steps that were taken.
        report: with steps and artifacts.
        samples: the test samples; what is measured here is compared with their baseline.
        control: also train the source for the epochs that the steps took, and measure that.
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    samples, model, plan = replace(samples, reference=samples.baseline), candidate.model, candidate.plan
    steps, rows, signature = report.steps, report.artifacts, bench.signature
    precision = next((row.precision for row in rows if row.precision != "float32"), "float32")
    changed = model is not bench.source
    return replace(
        report,
        bought=tuple(state_rows(made, bench, planned, steps, rows, samples, control=control)),
        layers=tuple(layer_rows(bench.source, model, plan, signature, samples.raws, steps)),
        divergence=divergence(model, signature, plan, samples.raws, progress=bench.progress),
        outcomes=outcomes(
            deployed_graph(read(model)),
            signature,
            Target("tflite", precision),
            plan,
            samples,
            after_temperature=fitted_temperature(model, bench.dataset, signature, progress=bench.progress)
            if changed
            else temperature_of(signature),
        ),
    )


def bundle_findings(report: Report) -> Report:
    """`report` without the folders of the machine that made it: they are reduced to their names."""
    lines = (shlex.join(_shorter(word) for word in shlex.split(line)) for line in report.commands)
    return replace(report, source=_name(report.source) if report.source else "", commands=tuple(lines))


def _shorter(word: str) -> str:
    return _name(word) if os.path.isabs(word) else word


def _name(path: str) -> str:
    return os.path.basename(os.path.normpath(path))
