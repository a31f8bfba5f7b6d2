"""From inputs on the command line to predictions, as JSON and as text: `dltk predict` and run.pyz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import UsageError
from dltk.base.files import write_atomic
from dltk.base.terminal import one_line
from dltk.edge.families import Family, family
from dltk.edge.load import Model

__all__ = ["predict_inputs"]


def predict_inputs(
    model: Model, inputs: Sequence[str], *, top: int, out: Path | None = None
) -> tuple[list[dict[str, Any]], str]:
    """The predictions of `model`: one {"input", "answer"} per sample, plain JSON values; and the same as text.

    Args:
        inputs: what the model's family reads; of a file of many samples each is one.
        top: labels per sample.
        out: file to write the predictions to, where the family's predictions make one.

    Raises:
        InputError: if an input cannot be read.
        UsageError: if the predictions make no file, or one with another suffix than `out`.
    """
    kind = family(model.signature.family)
    sources = [(_title(name, source), source) for name in inputs for source in kind.expand(name, model.signature)]
    predictions = model.predict_many([source for _, source in sources], top=top)
    if out is not None:
        _write(kind, predictions, out)
    rows = [{"input": name, "answer": kind.as_json(each)} for (name, _), each in zip(sources, predictions, strict=True)]
    texts = (f"{one_line(name)}\n{kind.as_text(each)}" for (name, _), each in zip(sources, predictions, strict=True))
    return rows, "\n\n".join(texts)


def _title(name: str, source: Any) -> str:
    """The input, and which part of it a sample is where parts have names."""
    part = getattr(source, "title", "")
    return f"{name}: {part}" if isinstance(part, str) and part and not isinstance(source, str) else name


def _write(kind: Family, predictions: list[Any], out: Path) -> None:
    made = kind.as_file(predictions)
    if made is None or out.suffix != made[0]:
        rule = "this model's predictions are text" if made is None else f"must end in {made[0]}"
        raise UsageError("--out", rule, str(out))
    write_atomic(out, made[1])
