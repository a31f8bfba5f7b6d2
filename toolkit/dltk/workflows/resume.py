"""What a compression was asked for, kept in its Run: `--resume` goes on with the very same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import parse_json, read_capped, sha256, sweep_tree
from dltk.compress.steps import Planned
from dltk.edge.runtime.device import Device
from dltk.run import Run
from dltk.search.limits import Limits

__all__ = ["STATE", "asked_for", "started_with"]

STATE = "compress"  # compress.json: with it in its folder, a compression can be resumed


def asked_for(source: Run, planned: Sequence[Planned], limits: Limits, device: Device) -> dict[str, Any]:
    """The model, the steps and the limits of a compression, and the machine where it is held to a latency."""
    asked: dict[str, Any] = {
        "model": sha256(read_capped(source.model_path)),
        "steps": [step.as_dict() for step in planned],
    }
    if limits.latency is not None:  # times of two machines cannot be compared; how many threads are free may change
        asked["machine"] = {key: value for key, value in device.machine.items() if key != "threads"}
    return asked | ({"limits": limits.as_dict()} if limits else {})


def started_with(path: Path, asked: Mapping[str, Any]) -> Run | None:
    """The compression to go on with; None where it was killed before it began.

    Raises:
        InputError: if it was begun with other steps, limits or another model.
    """
    if not (path / f"{STATE}.json").is_file():
        return None
    sweep_tree(path)
    begun = parse_json(read_capped(path / f"{STATE}.json", 10_000_000), path)
    machine, device = (told.get("machine") for told in (begun, asked))
    if machine != device and begun == {**asked, "machine": machine}:
        hint = "Resume on that machine, with the same --host, or give another --run."
        raise InputError(path, f"was begun with times of {_named(machine)}", _named(device), hint)
    if begun != asked:
        hint = "Resume with the very same steps, limits and source, or give another --run."
        raise InputError(path, "was begun with other steps or another model", hint=hint)
    return Run(path)


def _named(machine: Any) -> str:
    return f"{machine.get('host', 'this machine')}: {machine.get('cpu')} {' '.join(machine.get('instructions', ()))}"
