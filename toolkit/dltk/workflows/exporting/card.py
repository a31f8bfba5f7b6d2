"""The texts of a bundle: model card, licenses, and the page of its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.files import parse_json
from dltk.base.install import pip_extra
from dltk.base.progress import Progress
from dltk.base.terminal import escape_control_characters
from dltk.bundle import Sealing
from dltk.edge.bundle.manifest import parse
from dltk.report import as_bytes, of_bundle
from dltk.report.schema import REPORT, ArtifactRow
from dltk.workflows.exporting.opened import Opened
from dltk.workflows.measure import table

__all__ = ["RESET", "licenses", "model_card", "report_page"]

RESET = "reset the variable tensors: Interpreter.reset_all_variables(), ResetVariableTensors() or Reset()"
_PAGE = "report.html"


def _escaped(text: str) -> str:
    """A name from untrusted data as Markdown that shows it, on one line: no link, tag or heading of its own."""
    flat = " ".join(escape_control_characters(text).split())
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&-])", r"\\\1", flat)


def model_card(opened: Opened, rows: Sequence[ArtifactRow], state: Mapping[str, Any] = {}) -> str:
    """What the model is for, what it was measured at, and how to ask it (after arXiv:1810.03993)."""
    run, signature, data = opened.run, opened.signature, opened.data
    inputs = ", ".join(f"`{spec.name}` {spec.dtype} {list(spec.shape)}" for spec in signature.inputs)
    outputs = ", ".join(f"`{spec.name}` {spec.dtype} {list(spec.shape)}" for spec in signature.outputs)
    shown = ", ".join(map(_escaped, signature.labels[:20]))
    labels = f"- Labels ({len(signature.labels)}): {shown}" if signature.labels else ""
    notes = "\n".join(f"- {name}: {text}" for name, text in sorted(opened.notes.items()))
    return f"""# {run.name}

A model for {signature.task}, made with the recipe `{run.recipe_name}` of dltk.

- Data: {data.get("source")} (digest {str(data.get("digest"))[:16]})
- Inputs: {inputs}
- Outputs: {outputs}
{labels}
{notes}

## Figures

On the test samples that the run keeps; a gain (a loss is negative) is counted from the float32 model before
compression, with its interval at 95%. They hold for data like that, and for nothing else.

```
{table(rows, timed=False)}
```
{_undecided_limits(rows)}
## Use

```python
from dltk.edge import load

model = load(".")
```
{_state(state)}
`manifest.json` lists every file with its hash. The hashes show damage; they do not show who made the files.
"""


def _undecided_limits(rows: Sequence[ArtifactRow]) -> str:
    """What the samples are too few to decide, as a list."""
    lines = [f"- {row.file}: {note}" for row in rows for note in row.notes]
    return "\n".join(["", "There are too few samples to decide:", "", *lines, ""]) if lines else ""


_STATE = """
## State

{files}: TFLite's LSTM keeps its state in variable tensors from one invoke to the next. `load`, `dltk` and `run.pyz`
start each sample afresh. A program of your own must do so too, or its outputs are wrong from the second sample on:

```python
interpreter.reset_all_variables()  # before each sample; in C++ interpreter->ResetVariableTensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
interpreter.invoke()
```

In TensorFlow Lite Micro it is `interpreter.Reset()`. `dltk export --stateless` writes files that need none of this.
"""


def _state(state: Mapping[str, Any]) -> str:
    """What a program that runs the files itself must know; nothing where no file keeps state."""
    found = state.get("keeps_state")
    return _STATE.format(files=", ".join(f"`{name}`" for name in found["files"])) if found else ""


def licenses(opened: Opened) -> str:
    """What the bundle's owner must look up: the terms of the data and of the weights it started from."""
    data = opened.data
    lines = [
        "The software that made this bundle, dltk, is under the Apache License 2.0.",
        "",
        "The weights in this bundle were trained from:",
        f"- data: {data.get('source')}{_data_terms(str(data.get('source')))}",
        *(f"- {name}: {text}" for name, text in sorted(opened.notes.items()) if name in ("weights", "adopted")),
        "",
        "Their terms apply to the weights.",
    ]
    return "\n".join(lines) + "\n"


def report_page(sealing: Sealing, progress: Progress) -> dict[str, bytes]:
    """`report.html`, the very page that `dltk report` draws of the bundle; nothing where it cannot be drawn here."""
    manifest = parse(sealing.manifest().to_bytes())  # as it will be read: no tuples
    found = of_bundle(manifest, parse_json(sealing.files[REPORT], REPORT), Path(sealing.name))
    try:
        return {_PAGE: as_bytes(found, "html")}
    except EnvironmentFault:
        progress.log(f"{_PAGE} is not written: it needs matplotlib and jinja2. Run `{pip_extra('report')}`.")
        return {}


_TERMS = {
    "digits": " (Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, E. Alpaydin and C. Kaynak,"
    " CC BY 4.0; as scikit-learn, BSD-3-Clause, carries it)",
    "fashion-mnist": " (Zalando SE, MIT)",
    "cifar10": " (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images)",
}


def _data_terms(source: str) -> str:
    return _TERMS.get(source, "")
