"""The tables of a compression: what its steps bought, what became of each layer, where the runtimes part ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.edge.gains import amount, gain, interval, is_share
from dltk.report.layout import Table, cut, cut_table, figure, shares, size

__all__ = ["bought_table", "compression_tables"]

_MOST_LAYERS = 200


def bought_table(found: Mapping[str, Any] | None) -> Table:
    """A row a state of the model, with what it takes against the source's float32 file."""
    rows: Sequence[Mapping[str, Any]] = found["bought"] if found else ()
    timed = any(row["p50_ms"] is not None for row in rows)
    heads = ("after", "file", "download", "of source", *(("p50 ms", "of source") if timed else ()))
    first = rows[0] if rows else {}
    lines = tuple(_state(row, first, timed) for row in rows)
    note = (
        "Metric on the test split, and its gain with the interval at 95%; a download's share is of the source's whole "
    )
    note += (
        "file. Zeros and few different values make the download smaller; fewer channels and int8 also make it faster."
    )
    machine: Mapping[str, Any] = found["machine"] if found else {}
    if timed and "host" in machine:
        note += f" Times are of one sample on {machine['host']} ({machine.get('cpu', '')})."
    heads = (*heads, "metric", "gain", "interval")
    return Table("What each step bought", heads, lines, (0,), note if lines else "")


def _state(row: Mapping[str, Any], first: Mapping[str, Any], timed: bool) -> tuple[str, ...]:
    metric = row["metric"] or {}
    after = row["after"] if row["precision"] == "float32" else f"{row['after']}, {row['precision']}"
    cells = [after, size(row["bytes"]), size(row["download_bytes"])]
    cells.append(shares(row["download_bytes"], first["bytes"]))
    if timed:
        cells += [figure(row["p50_ms"]), shares(row["p50_ms"], first["p50_ms"])]
    return (*cells, figure(metric.get("value")), gain(metric), interval(metric))


def compression_tables(found: Mapping[str, Any] | None) -> list[Table]:
    """What was done and found, in order of interest; tables without rows are left in."""
    if not found:
        return []
    return [
        *_steps(found),
        _calibration(found["steps"]),
        _layers(found["layers"]),
        _divergence(found["divergence"] or {}),
        *_search(found["search"]),
        *_left(found),
    ]


def _steps(found: Mapping[str, Any]) -> list[Table]:
    steps, layers = found["steps"], {row["layer"] for row in found["layers"]}
    overview = tuple(
        (step["name"], _words(step["settings"]), str(len(step["changed"])), str(len(step["skipped"]))) for step in steps
    )
    figures = [
        (step["name"], name.replace("_", " "), figure(value))
        for step in steps
        for name, value in step["figures"].items()
        if not name.startswith(("calibration.", "epochs.")) and name.partition(".")[2] not in layers
    ]
    warned = [(step["name"], warning) for step in steps for warning in step["warnings"]]
    source = f"From {found['source']}." if found["source"] else ""
    heads = ("step", "settings", "layers changed", "left as they were")
    return [
        Table("Compression", heads, overview, (0, 1), source),
        cut_table("Warnings", ("step", "warning"), warned, (0, 1)),
        cut_table("What the steps measured", ("step", "figure", "value"), figures, (0, 1, 2)),
    ]


def _calibration(steps: Sequence[Mapping[str, Any]]) -> Table:
    """Where int8 ranges come from: the method, its samples and their digest, what the others would have given."""
    rows = [
        (step["name"], name.removeprefix("calibration.").replace("_", " "), figure(value))
        for step in steps
        for name, value in step["figures"].items()
        if name.startswith("calibration.")
    ]
    note = "The held-out error is the mean squared difference between float and int8 outputs." if rows else ""
    return Table("Calibration of int8", ("step", "", "value"), tuple(rows), (0, 1, 2), note)


def _layers(layers: Sequence[Mapping[str, Any]]) -> Table:
    rows, more = cut([_layer(row) for row in layers], _MOST_LAYERS)
    note = "Signal/noise: of the layer's output between float and int8, all layers before it in int8 too; 10 dB more "
    note += "is a tenth of the noise. "
    heads = (
        "layer",
        "kind",
        "channels",
        "weights",
        "zeros",
        "values",
        "precision",
        "signal/noise dB",
        "left alone by",
    )
    return Table("Layers", heads, rows, (0, 1, 6, 8), f"{note}{more}".strip() if rows else "")


def _layer(row: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = row["channels_before"], row["channels"]
    channels = figure(after) if before in (None, after) else f"{figure(before)} to {figure(after)}"
    zeros = "-" if not row["sparsity"] else f"{row['sparsity']:.1%}"
    noise = "-" if row["snr_db"] is None else f"{row['snr_db']:.1f}"
    left = "; ".join(f"{item['step']}: {item['reason']}" for item in row["left"])
    values = figure(row["clusters"] or None)
    return (row["layer"], channels, zeros, values, row["precision"], noise, figure(row["weights"]), row["kind"], left)


def _divergence(found: Mapping[str, Any]) -> Table:
    layers = found.get("layers", ())
    rows, more = cut([_compared(row) for row in layers], _MOST_LAYERS)
    title = "Where Keras, LiteRT and ONNX Runtime part ways"
    if found.get("failed"):
        return Table(title, ("not compared, because",), ((found["failed"],),), (0,))
    heads = ("layer", "LiteRT float32", "ONNX float32", "int8: largest, steps", "int8: differing")
    if not rows:
        return Table(title, heads, ())
    parted = [_parted("float32", found["first"], f"{figure(found['limit'])} of the largest value")]
    if any(row["int8_steps"] is not None for row in layers):
        parted.append(_parted("int8", found["first_int8"], f"{figure(found['int8_limit'])} step of the grid"))
    note = f"{' '.join(parted)} On {figure(found['samples'])} samples. float32: largest difference from Keras; int8: "
    return Table(title, heads, rows, (0,), f"{note}of the two files from each other. {more}".strip())


def _parted(precision: str, first: str | None, limit: str) -> str:
    if first is None:
        return f"{precision}: nowhere by more than {limit}."
    return f"{precision}: first by more than {limit} in {first}."


def _compared(row: Mapping[str, Any]) -> tuple[str, ...]:
    differing = row["int8_differing"]
    errors = ("-" if row[key] is None else f"{row[key]:.1e}" for key in ("litert", "onnx"))
    return (row["layer"], *errors, figure(row["int8_steps"]), "-" if differing is None else f"{differing:.2%}")


def _search(found: Mapping[str, Any] | None) -> list[Table]:
    if not found:
        return []
    heads = ("", "stage", "steps", "bytes", "download", "p50 ms", "metric", "gain", "misses")
    rows, more = cut([_trial(trial, found) for trial in found["trials"]], _MOST_LAYERS)
    bounds = ", ".join(_bound(name, value) for name, value in found["bounds"].items())
    met = "the chosen one meets them" if found["met"] else "none meets them: the closest was chosen"
    met += f", which on the test split misses {', '.join(found['misses_on_test'])}" if found["misses_on_test"] else ""
    note = f"On the validation split. Limits: {bounds or 'none'}; {met}. * chosen, + on the Pareto front. {more}"
    columns = list(found["sensitivity"][0]) if found["sensitivity"] else []
    share = any(is_share(trial["metric"]) for trial in found["trials"] if trial["metric"])
    felt, rest = cut([tuple(_felt(row, name, share) for name in columns) for row in found["sensitivity"]], _MOST_LAYERS)
    columns = ["gain" if name == "drop" else name for name in columns]
    return [
        Table("Candidates of the search", heads, rows, (0, 1, 2, 8), note.strip()),
        Table("Layers by what int8 costs them", tuple(name.replace("_", " ") for name in columns), felt, (0,), rest),
    ]


def _felt(row: Mapping[str, Any], name: str, share: bool) -> str:
    value = row.get(name)
    return amount(-value, share, signed=True) if name == "drop" and value is not None else figure(value)


def _bound(name: str, value: float) -> str:
    shown = {"size": size(value), "download": size(value), "latency": f"{figure(value)} ms"}
    return f"{name} at most {shown.get(name, figure(value))}"


def _trial(trial: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    place, metric = trial["number"], trial["metric"] or {}
    mark = ("*" if place == found["chosen"] else "") + ("+" if place in found["front"] else "")
    sizes = ("-" if trial[key] is None else size(trial[key]) for key in ("bytes", "download_bytes"))
    figures = (figure(trial["p50_ms"]), figure(metric.get("value")), gain(metric))
    missed = trial["error"] or ", ".join(trial["misses"])
    return (f"{figure(place)} {mark}".strip(), trial["stage"], " ".join(trial["steps"]), *sizes, *figures, missed)


def _left(found: Mapping[str, Any]) -> list[Table]:
    """Where there is no table of layers that says it."""
    known = {row["layer"] for row in found["layers"]}
    skipped = [
        (step["name"], item["layer"], item["reason"])
        for step in found["steps"]
        for item in step["skipped"]
        if item["layer"] not in known and (not known or item["reason"] not in ("no weights", "no kernel"))
    ]
    return [cut_table("Layers left as they were", ("step", "layer", "reason"), skipped, (0, 1, 2))]


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={figure(value)}" for name, value in settings.items()) or "-"
