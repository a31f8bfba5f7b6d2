"""An observation to the action that is worth most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import parse_json
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric, SingleSample, Tensors, unstack_samples
from dltk.edge.input import preprocess
from dltk.edge.sources.arrays import read_array
from dltk.edge.sources.tables import read_table

__all__ = ["FAMILY", "Policy"]

Prediction = dict[str, Any]  # "action", and "values" of all actions


class Policy(SingleSample):
    """Raw sample: an observation, float32 (numbers,). Output: what each action is worth, (n, actions).

    There are no targets: a policy is evaluated by the return of its episodes (`dltk.edge.play`).
    """

    name = "policy"
    accepted_inputs = "an observation: an array or a list of numbers, or the path of a file that holds one"
    metrics: tuple[Metric, ...] = ()

    def kind(self, signature: Signature) -> Kind:
        """An action is a class: quantized files must choose the same one as float."""
        return "single-label"

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """Every row of a JSON list, an .npy file or a CSV with a header."""
        return unstack_samples(_rows(source, signature), _where(source))

    def read(self, source: Any, signature: Signature) -> NDArray[np.float32]:
        """One observation (numbers,): an array, a list, or what `expand` takes and holds one row.

        Raises:
            InputError: if it is not one observation, of as many numbers as the model takes.
        """
        rows = _rows(source, signature)
        if len(rows) != 1:
            raise InputError(_where(source), "must be one observation", f"{len(rows)} rows")
        return rows[0]

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, numbers), as the signature defines."""
        return {signature.inputs[0].name: preprocess.apply_ops(np.asarray(raws, np.float32), signature.preprocess)}

    def actions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature) -> NDArray[np.int64]:
        """(n,): the action that is worth most; of equal ones the first."""
        return np.asarray(outputs[signature.outputs[0].name]).argmax(axis=-1)

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: {"action", "values"}, out of the output (n, actions). `top` has no meaning here."""
        values = np.asarray(outputs[signature.outputs[0].name], np.float64)
        chosen = self.actions(outputs, signature).tolist()
        return [{"action": action, "values": row} for action, row in zip(chosen, values.tolist(), strict=True)]

    def as_json(self, prediction: Prediction) -> Prediction:
        """{"action": number, "values": [one an action]}."""
        return prediction

    def as_text(self, prediction: Prediction) -> str:
        """One line."""
        return f"action {prediction['action']}   values {' '.join(f'{value:.5g}' for value in prediction['values'])}"

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Refused: what an action is worth shows in what follows.

        Raises:
            InputError: always.
        """
        hint = "Leave --data out, and let it play: dltk predict BUNDLE --env NAME."
        raise InputError(str(data), "no action of a policy is right or wrong by itself", hint=hint)

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.float32]:
        """Normal numbers (count, numbers) with the mean and deviation that the signature standardizes by."""
        drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal((count, *signature.inputs[0].sample_shape))
        for op in signature.preprocess:
            if op["op"] == "standardize":
                drawn = drawn * np.asarray(op["std"]) + np.asarray(op["mean"])
        return drawn.astype(np.float32)


def _rows(source: Any, signature: Signature) -> NDArray[np.float32]:
    """float32 (n, numbers): all observations in `source`."""
    (width,) = signature.inputs[0].sample_shape
    where = _where(source)
    if isinstance(source, str) and source.lstrip().startswith("["):
        found = _numbers(parse_json(source.encode(), where), where)
    elif isinstance(source, (str, Path)):
        path = Path(source)
        table = None if path.suffix == ".npy" else read_table(path)
        found = _numbers(read_array(path), where) if table is None else table.numbers(table.header)
    else:
        found = _numbers(source, where)
    rows = found[None] if found.ndim == 1 else found
    if rows.ndim != 2 or rows.shape[1] != width:
        raise InputError(where, f"an observation must have {width} numbers", f"shape {found.shape}")
    if not np.isfinite(rows).all():
        raise InputError(where, "must hold finite numbers of single precision")
    return rows


def _numbers(values: Any, where: str) -> NDArray[np.float32]:
    try:
        found = np.asarray(values)
    except ValueError as fault:
        raise InputError(where, "must hold rows of the same length", str(fault)) from fault
    if found.dtype.kind not in "fiu":
        raise InputError(where, "must hold numbers", f"{found.dtype} values")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        return found.astype(np.float32)


def _where(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else "observation"


FAMILY: Family = Policy()
