"""The tables of a compression: the effect of its steps, each layer, and differences between the runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dltk.edge.gains import amount_text, gain_text, interval_text, is_share
from dltk.report.layout import Column, Table, figure, share_text, size_text, table_of
from dltk.report.schema import ComparedRow, Divergence, LayerRow, SensitivityRow, StateRow, StepRow
from dltk.report.shown import ShownTrial

__all__ = ["step_table", "compression_tables"]

_MOST_LAYERS = 200


def step_table(found: Mapping[str, Any] | None) -> Table:
    """One row per state of the model, with what it takes against the source's float32 file."""
    rows = [StateRow.from_dict(row) for row in found["bought"]] if found else []
    timed = any(row.p50_ms is not None for row in rows)
    note = (
        "Metric on the test split, and its gain with the interval at 95%; a download's share is of the source's whole "
    )
    note += (
        "file. Zeros and few distinct values make the download smaller; fewer channels and int8 also make it faster."
    )
    machine: Mapping[str, Any] = found["machine"] if found else {}
    if timed and "host" in machine:
        note += f" Times are of one sample on {machine['host']} ({machine.get('cpu', '')})."
    columns = _states(rows[0], timed) if rows else ()
    return table_of("Effect of each step", columns, rows, note=note, most=len(rows))


def _states(first: StateRow, timed: bool) -> Sequence[Column[StateRow]]:
    times = (
        Column[StateRow]("p50 ms", lambda row: figure(row.p50_ms)),
        Column[StateRow]("of source", lambda row: share_text(row.p50_ms, first.p50_ms)),
    )
    return (
        Column("after", lambda row: row.after if row.precision == "float32" else f"{row.after}, {row.precision}", True),
        Column("file", lambda row: size_text(row.bytes)),
        Column("download", lambda row: size_text(row.download_bytes)),
        Column("of source", lambda row: share_text(row.download_bytes, first.bytes)),
        *(times if timed else ()),
        Column("metric", lambda row: figure((row.metric or {}).get("value"))),
        Column("gain", lambda row: gain_text(row.metric)),
        Column("interval", lambda row: interval_text(row.metric)),
    )


def compression_tables(found: Mapping[str, Any] | None) -> list[Table]:
    """What was done and found, in order of interest; tables without rows are left in."""
    if not found:
        return []
    steps, layers = map(StepRow.from_dict, found["steps"]), map(LayerRow.from_dict, found["layers"])
    return _tables(found, tuple(steps), tuple(layers))


def _tables(found: Mapping[str, Any], steps: Sequence[StepRow], layers: Sequence[LayerRow]) -> list[Table]:
    known = {row.layer for row in layers}
    return [
        *_steps(steps, known, f"From {found['source']}." if found["source"] else ""),
        _calibration(steps),
        _layers(layers),
        *([_divergence(Divergence.from_dict(found["divergence"]))] if found["divergence"] else []),
        *_search(found["search"]),
        _skipped_layers(steps, known),
    ]


def _steps(steps: Sequence[StepRow], layers: set[str], source: str) -> list[Table]:
    columns = (
        Column[StepRow]("step", lambda step: step.name, True),
        Column[StepRow]("settings", _settings, True),
        Column[StepRow]("layers changed", lambda step: str(len(step.changed))),
        Column[StepRow]("unchanged", lambda step: str(len(step.skipped))),
    )
    figures = [
        (step.name, name.replace("_", " "), figure(value))
        for step in steps
        for name, value in step.figures.items()
        if not name.startswith(("calibration.", "epochs.")) and name.partition(".")[2] not in layers
    ]
    warned = [(step.name, warning) for step in steps for warning in step.warnings]
    return [
        table_of("Compression", columns, steps, note=source),
        table_of("Warnings", _named("step", "warning"), warned),
        table_of("Measurements of the steps", _named("step", "figure", "value"), figures),
    ]


def _settings(step: StepRow) -> str:
    return ", ".join(f"{name}={figure(value)}" for name, value in step.settings.items()) or "-"


def _named(*heads: str) -> list[Column[tuple[str, ...]]]:
    """Columns of text for tuples that are written next to their headings."""
    return [Column(head, partial(_part, place), True) for place, head in enumerate(heads)]


def _part(place: int, parts: tuple[str, ...]) -> str:
    return parts[place]


def _calibration(steps: Sequence[StepRow]) -> Table:
    """Where int8 ranges come from: the method, its samples and their digest, what the others would have given."""
    rows = [
        (step.name, name.removeprefix("calibration.").replace("_", " "), figure(value))
        for step in steps
        for name, value in step.figures.items()
        if name.startswith("calibration.")
    ]
    note = "The held-out error is the mean squared difference between float and int8 outputs."
    return table_of("Calibration of int8", _named("step", "", "value"), rows, note=note, most=len(rows))


_OF_A_LAYER: Sequence[Column[LayerRow]] = (
    Column("layer", lambda row: row.layer, True),
    Column("kind", lambda row: row.kind, True),
    Column("channels", lambda row: _channels(row)),
    Column("weights", lambda row: figure(row.weights)),
    Column("zeros", lambda row: f"{row.sparsity:.1%}" if row.sparsity else "-"),
    Column("values", lambda row: figure(row.clusters or None)),
    Column("precision", lambda row: row.precision, True),
    Column("signal/noise dB", lambda row: "-" if row.snr_db is None else f"{row.snr_db:.1f}"),
    Column("skipped by", lambda row: "; ".join(f"{each.step}: {each.reason}" for each in row.left), True),
)


def _layers(layers: Sequence[LayerRow]) -> Table:
    note = "Signal/noise: of the layer's output between float and int8, all layers before it in int8 too; 10 dB more "
    note += "is a tenth of the noise."
    return table_of("Layers", _OF_A_LAYER, layers, note=note, most=_MOST_LAYERS)


def _channels(row: LayerRow) -> str:
    if row.channels_before in (None, row.channels):
        return figure(row.channels)
    return f"{figure(row.channels_before)} to {figure(row.channels)}"


_OF_A_COMPARISON: Sequence[Column[ComparedRow]] = (
    Column("layer", lambda row: row.layer, True),
    Column("LiteRT float32", lambda row: _small(row.litert)),
    Column("ONNX float32", lambda row: _small(row.onnx)),
    Column("int8: largest, steps", lambda row: figure(row.int8_steps)),
    Column("int8: differing", lambda row: "-" if row.int8_differing is None else f"{row.int8_differing:.2%}"),
)


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def _divergence(found: Divergence) -> Table:
    title, layers = "Differences between Keras, LiteRT and ONNX Runtime", found.layers
    if found.failed:
        return table_of(title, _named("not compared, because"), [(found.failed,)])
    if not layers:
        return table_of(title, _OF_A_COMPARISON, ())
    parted = [_first_divergence("float32", found.first, f"{figure(found.limit)} of the largest value")]
    if any(row.int8_steps is not None for row in layers):
        parted.append(_first_divergence("int8", found.first_int8, f"{figure(found.int8_limit)} step of the grid"))
    note = f"{' '.join(parted)} On {figure(found.samples)} samples. float32: largest difference from Keras; int8: "
    return table_of(title, _OF_A_COMPARISON, layers, note=f"{note}of the two files from each other.", most=_MOST_LAYERS)


def _first_divergence(precision: str, first: str | None, limit: str) -> str:
    if first is None:
        return f"{precision}: nowhere by more than {limit}."
    return f"{precision}: first by more than {limit} in {first}."


def _skipped_layers(steps: Sequence[StepRow], known: set[str]) -> Table:
    """If there is no table of layers."""
    skipped = [
        (step.name, item.layer, item.reason)
        for step in steps
        for item in step.skipped
        if item.layer not in known and (not known or item.reason not in ("no weights", "no kernel"))
    ]
    return table_of("Unchanged layers", _named("step", "layer", "reason"), skipped)


def _search(found: Mapping[str, Any] | None) -> list[Table]:
    if not found:
        return []
    bounds = ", ".join(_bound(name, value) for name, value in found["bounds"].items())
    met = "the chosen one meets them" if found["met"] else "none meets them: the closest was chosen"
    met += f", which on the test split misses {', '.join(found['misses_on_test'])}" if found["misses_on_test"] else ""
    note = f"On the validation split. Limits: {bounds or 'none'}; {met}. * chosen, + on the Pareto front."
    trials = [ShownTrial.from_dict(trial) for trial in found["trials"]]
    costs = [SensitivityRow.from_dict(row) for row in found["sensitivity"]]
    share = any(is_share(trial.metric) for trial in trials if trial.metric)
    return [
        table_of("Candidates of the search", _of_a_trial(found), trials, note=note, most=_MOST_LAYERS),
        table_of("Layers by their loss in int8", _of_a_cost(share), costs, most=_MOST_LAYERS),
    ]


def _of_a_cost(share: bool) -> Sequence[Column[SensitivityRow]]:
    return (
        Column("layer", lambda row: row.layer, True),
        Column("gain", lambda row: "-" if row.drop is None else amount_text(-row.drop, share, signed=True)),
        Column("signal to noise", lambda row: figure(row.signal_to_noise)),
        Column("weights", lambda row: figure(row.weights)),
    )


def _bound(name: str, value: float) -> str:
    shown = {"size": size_text(value), "download": size_text(value), "latency": f"{figure(value)} ms"}
    return f"{name} at most {shown.get(name, figure(value))}"


def _of_a_trial(found: Mapping[str, Any]) -> Sequence[Column[ShownTrial]]:
    def place(trial: ShownTrial) -> str:
        mark = "*" if trial.number == found["chosen"] else ""
        mark += "+" if trial.number in found["front"] else ""
        return f"{figure(trial.number)} {mark}".strip()

    return (
        Column("", place, True),
        Column("stage", lambda trial: trial.stage, True),
        Column("steps", lambda trial: " ".join(trial.steps), True),
        Column("bytes", lambda trial: "-" if trial.bytes is None else size_text(trial.bytes)),
        Column("download", lambda trial: "-" if trial.download_bytes is None else size_text(trial.download_bytes)),
        Column("p50 ms", lambda trial: figure(trial.p50_ms)),
        Column("metric", lambda trial: figure((trial.metric or {}).get("value"))),
        Column("gain", lambda trial: gain_text(trial.metric)),
        Column("misses", lambda trial: trial.error or ", ".join(trial.misses), True),
    )
