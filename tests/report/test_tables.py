"""Every table of a report, as a reader sees it: each value under its own heading, in text and on the page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dltk.base.errors import InputError
from dltk.base.files import canonical_json
from dltk.report import as_text, collect
from dltk.report import compression as drawn_compression
from dltk.report import page as drawn_page
from dltk.report import tables as drawn_tables
from dltk.report.page import as_html
from dltk.report.schema import SCHEMA, ComparedRow, LayerRow, Report, SearchPart, StateRow, StepRow, TrialRow
from dltk.training.evaluation import text as metrics_text

# title -> rows by heading, in the order of the columns; None where the page alone has the table
COMPRESSED = {
    "Effect of each step": [
        [("after", "source, float32"), ("file", "4.0 KB"), ("download", "3.5 KB"), ("of source", "88%"),
         ("p50 ms", "0.5000"), ("of source", "100%"), ("metric", "0.7100"), ("gain", "-1.0 points"),
         ("interval", "-1.3 .. -0.7")],
        [("after", "quantize, int8"), ("file", "1.5 KB"), ("download", "1.0 KB"), ("of source", "1/4.0"),
         ("p50 ms", "0.1000"), ("of source", "1/5.0"), ("metric", "0.7200"), ("gain", "-2.0 points"),
         ("interval", "-2.3 .. -1.7")],
    ],
    "Compression": [
        [("step", "quantize"), ("settings", "precision=int8"), ("layers changed", "2"), ("unchanged", "1")],
        [("step", "prune"), ("settings", "-"), ("layers changed", "3"), ("unchanged", "0")],
    ],
    "Warnings": [[("step", "quantize"), ("warning", "few calibration samples")]],
    "Measurements of the steps": [
        [("step", "quantize"), ("figure", "bytes after over before"), ("value", "0.2800")],
    ],
    "Calibration of int8": [[("step", "quantize"), ("", "method"), ("value", "mse")]],
    "Layers": [
        [("layer", "conv"), ("kind", "Conv2D"), ("channels", "16 to 8"), ("weights", "448"), ("zeros", "50.0%"),
         ("values", "9"), ("precision", "int8"), ("signal/noise dB", "31.2"),
         ("skipped by", "prune: fewer than 1000 weights; cluster: few values")],
        [("layer", "dense"), ("kind", "Dense"), ("channels", "3"), ("weights", "27"), ("zeros", "-"), ("values", "-"),
         ("precision", "float32"), ("signal/noise dB", "-"), ("skipped by", "")],
    ],
    "Differences between Keras, LiteRT and ONNX Runtime": [
        [("layer", "conv"), ("LiteRT float32", "1.0e-06"), ("ONNX float32", "2.0e-06"), ("int8: largest, steps", "3"),
         ("int8: differing", "12.50%")],
    ],
    "Candidates of the search": [
        [("", "1"), ("stage", "int8"), ("steps", "prune:sparsity=0.5 quantize"), ("bytes", "-"), ("download", "-"),
         ("p50 ms", "-"), ("metric", "-"), ("gain", "-"), ("misses", "no ranges")],
        [("", "2 *+"), ("stage", "search"), ("steps", "prune:sparsity=0.5 quantize"), ("bytes", "3.0 KB"),
         ("download", "2.5 KB"), ("p50 ms", "0.1750"), ("metric", "0.7300"), ("gain", "-3.0 points"),
         ("misses", "drop, size")],
    ],
    "Layers by their loss in int8": [
        [("layer", "conv"), ("gain", "-6.2 points"), ("signal to noise", "21.5000"), ("weights", "446")],
        [("layer", "dense"), ("gain", "-"), ("signal to noise", "35.5000"), ("weights", "26")],
    ],
    "Unchanged layers": [[("step", "quantize"), ("layer", "softmax"), ("reason", "stays float")]],
}  # fmt: skip
RUN = COMPRESSED | {
    "Artifacts": [
        [("file", "model.int8.tflite"), ("format", "tflite"), ("precision", "int8"), ("bytes", "1501"),
         ("download (gzip -9)", "1001"), ("delegated", "50%")],
    ],
    "Metric": [
        [("file", "model.int8.tflite"), ("metric", "accuracy"), ("value", "0.7400"), ("reference", "0.7800"),
         ("gain", "-4.0 points"), ("interval", "-4.3 .. -3.7"), ("changed", "7 of 59")],
    ],
    "Undecided: too few samples": [
        [("file", "model.int8.tflite"), ("note", "1 of 12 changed; 12 cannot decide")],
        [("file", "model.int8.tflite"), ("note", "accuracy: 12 cannot decide")],
    ],
    "Parity with the reference": [
        [("file", "model.int8.tflite"), ("measure", "1 - mean cosine"), ("error", "0.0020"), ("tolerance", "0.01"),
         ("top-1 agreement", "0.9700"), ("ranges", "shared"), ("minimum runtime", "2.14")],
    ],
    "Operators": [
        [("file", "model.int8.tflite"), ("number of each", "CONV_2D 2, RESHAPE 1")],
    ],
    "History": [
        [("phase", "head"), ("epoch", "1"), ("loss", "1.5000"), ("accuracy", "0.5000"), ("validation loss", "1.6000"),
         ("seconds", "0.2000")],
        [("phase", "all"), ("epoch", "1"), ("loss", "0.9000"), ("accuracy", "-"), ("validation loss", "1.0000"),
         ("seconds", "0.3000")],
    ],
    "Data: photos": [
        [("split", "test"), ("samples", "60")],
        [("split", "train"), ("samples", "40")],
        [("split", "validation"), ("samples", "9")],
    ],
    "Skipped files": [[("file", "cat/broken.jpg"), ("reason", "is cut off")]],
    "Dropped copies": [[("file", "cat/2.png"), ("the same as", "cat/1.png"), ("which stays in", "test")]],
    "Equal images with different labels": [[("files", "cat/3.png: cat; dog/3.png: dog")]],
}  # fmt: skip
CLASSES = [
    [("", "cat"), ("precision", "0.9100"), ("recall", "0.8100"), ("f1", "0.8600"), ("auc", "0.9600"),
     ("samples", "23")],
    [("", "dog"), ("precision", "0.9200"), ("recall", "0.8200"), ("f1", "0.8700"), ("auc", "-"), ("samples", "18")],
    [("", "owl"), ("precision", "0.9300"), ("recall", "0.8300"), ("f1", "0.8800"), ("auc", "0.9800"),
     ("samples", "19")],
]  # fmt: skip
MEANS = [("precision", "0.9000"), ("recall", "0.8000"), ("f1", "0.8500"), ("auc", "0.9500")]
ON_THE_PAGE = {
    "Classes of the run, on its test split": [*CLASSES, [("", "mean"), *MEANS, ("samples", "")]],
}
STEPS = [
    [("step", "+1"), ("mean absolute error", "0.2100"), ("root mean squared error", "0.2600")],
    [("step", "+2"), ("mean absolute error", "0.2200"), ("root mean squared error", "0.2700")],
]
HORIZON = {"Horizon of the run, on its test split": STEPS}


def metric(kit, number: int, **more) -> dict:
    """A metric whose figures no other has."""
    drop = number / 100
    figures = {"value": 0.7 + drop, "reference": 0.7 + 2 * drop, "drop": drop, "interval": [drop - 0.003, drop + 0.003]}
    return kit.METRIC | figures | more


def classes(kit) -> dict:
    """Figures of a classifier in which no two are alike."""
    found = kit.classification()
    for number, row in enumerate(found["classes"], start=1):
        row |= {"precision": 0.9 + number / 100, "recall": 0.8 + number / 100, "f1": 0.85 + number / 100}
        row["auc"] = None if row["auc"] is None else 0.95 + number / 100
    return found


def forecast(kit) -> dict:
    """Figures of a forecast in which no two are alike."""
    found = kit.forecast()
    for row in found["horizon"]:
        row |= {name: found[name] + row["step"] / 100 for name in row if name != "step"}
    return found


def measured(kit) -> dict:
    """The report.json of a compression in which no two figures of a row are alike."""
    found = kit.findings()
    found["bought"] = [
        {"after": after, "file": "model.tflite", "precision": precision, "bytes": size, "download_bytes": download}
        | {"p50_ms": p50, "metric": metric(kit, number)}
        for number, (after, precision, size, download, p50) in enumerate(
            [("source, float32", "float32", 4000, 3500, 0.5), ("quantize", "int8", 1500, 1000, 0.1)], start=1
        )
    ]
    left = [{"step": "prune", "reason": "fewer than 1000 weights"}, {"step": "cluster", "reason": "few values"}]
    dense = {"layer": "dense", "kind": "Dense", "channels_before": 3, "channels": 3, "weights": 27, "sparsity": 0.0}
    dense |= {"clusters": None, "precision": "float32", "snr_db": None, "left": []}
    found["layers"] = [found["layers"][0] | {"layer": "conv", "left": left}, dense]
    found["divergence"]["layers"][0]["layer"] = "conv"
    found["search"]["sensitivity"] = [
        {"layer": "conv", "drop": 0.0625, "signal_to_noise": 21.5, "weights": 446},
        {"layer": "dense", "drop": None, "signal_to_noise": 35.5, "weights": 26},
    ]
    trials = found["search"]["trials"]
    trials[0]["error"] = "no ranges"
    trials[1]["row"] = {"bytes": 3000, "download_bytes": 2500, "p50_ms": 0.175, "metric": metric(kit, 3)}
    trials[1]["misses"] = [{"limit": "drop"}, {"limit": "size"}]
    quantize = found["steps"][0]
    found["steps"] = [
        quantize | {"figures": quantize["figures"] | {"calibration": {"method": "mse"}}},
        found["steps"][1] | {"changed": ["a", "b", "c"]},
    ]
    parity = {"measure": "cosine", "error": 0.002, "tolerance": 0.99, "top1_agreement": 0.97}
    parity["notes"] = ["1 of 12 changed; 12 cannot decide", "accuracy: 12 cannot decide"]
    artifact = {"file": "model.int8.tflite", "format": "tflite", "precision": "int8", "bytes": 1501}
    artifact |= {"download_bytes": 1001, "parity": parity, "metric": metric(kit, 4, samples=59, changed=7)}
    artifact |= {"ranges": "shared"}
    artifact |= {"minimum_runtime": "2.14", "operators": {"RESHAPE": 1, "CONV_2D": 2}, "delegated_share": 0.5}
    found["artifacts"] = [artifact]
    return found


class Tables(HTMLParser):
    """Title -> rows of texts, the headings first."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._title, self._inside = "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.found[self._title] = []
        elif tag == "tr":
            self.found[self._title].append([])
        elif tag in ("th", "td"):
            self.found[self._title][-1].append("")
        elif tag == "h2":
            self._title = ""
        self._inside = tag if tag in ("h2", "th", "td") else self._inside

    def handle_endtag(self, tag):
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data):
        if self._inside == "h2":
            self._title += data
        elif self._inside:
            self.found[self._title][-1][-1] += data


def in_text(text: str) -> dict[str, list[str]]:
    """Title -> lines below it, their spaces made one."""
    blocks = (block.splitlines() for block in text.split("\n\n"))
    return {title: [re.sub(r"\s+", " ", line).strip() for line in lines] for title, *lines in blocks}


def lines_of(rows) -> list[str]:
    """Headings and rows as `in_text` has them."""
    cells = [[head for head, _ in rows[0]], *([value for _, value in row] for row in rows)]
    return [" ".join(filter(None, line)) for line in cells]


def check(report, shared, page_only, in_figures) -> None:
    drawn = Tables(as_html(report)).found
    assert set(drawn) == set(shared) | set(page_only)
    for title, rows in (shared | page_only).items():
        heads, *found = drawn[title]
        assert [list(zip(heads, cells, strict=True)) for cells in found] == rows, title
    text = in_text(as_text(report))
    for title, rows in shared.items():
        wanted = lines_of(rows)
        assert text[title][: len(wanted)] == wanted, title
    blocks = [[title, *lines] for title, lines in text.items()]
    heads, *lines = lines_of(in_figures)
    assert [heads, *lines] in [[" ".join(block[0].split()), *block[1:]] for block in blocks], "figures in the text"


def test_each_value_of_a_run_stands_under_its_heading(kit, tmp_path):
    folder = kit.write_run(tmp_path / "run", classes(kit))
    (folder / "report.json").write_bytes(canonical_json(measured(kit)))
    check(collect(folder), RUN, ON_THE_PAGE, [*CLASSES, [("", "macro"), *MEANS, ("samples", "")]])


def test_each_value_of_a_bundle_stands_under_its_heading(kit, tmp_path):
    more = {"agreement": {"int8": {"top1": 0.9946}}, "reference": {"accuracy": 0.9}, "metrics": forecast(kit)}
    found = collect(kit.write_bundle(tmp_path / "bundle", measured=measured(kit) | more))
    files = found["artifacts"]
    own = {
        "Artifacts": [
            [("file", each["file"]), ("format", "tflite"), ("precision", precision), ("bytes", str(each["bytes"])),
             ("download (gzip -9)", str(each["download_bytes"])), ("delegated", share)]
            for each, precision, share in zip(files, ("float32", "int8"), ("-", "50%"), strict=True)
        ],
        "Metric": [
            [("file", each["file"]), ("metric", "accuracy"), ("value", "0.7500"), ("reference", "0.8000"),
             ("gain", "-5.0 points"), ("interval", "-9.0 .. -1.0"), ("changed", "-")]
            for each in files
        ],
        "Parity with the reference": [
            [("file", files[0]["file"]), ("measure", "largest difference"), ("error", "0"), ("tolerance", "1e-05"),
             ("top-1 agreement", "-"), ("ranges", "none"), ("minimum runtime", "1.0")],
            [("file", files[1]["file"]), ("measure", "1 - mean cosine"), ("error", "0"), ("tolerance", "0.01"),
             ("top-1 agreement", "1.0000"), ("ranges", "shared"), ("minimum runtime", "1.0")],
        ],
        "Operators": [[("file", each["file"]), ("number of each", "FULLY_CONNECTED 1")] for each in files],
        "Agreement between artifacts": [[("", "int8.top1"), ("value", "0.9946")]],
        "Reference": [[("", "accuracy"), ("value", "0.9000")]],
        "Limits of the gate": [[("", "drop"), ("value", "0.0200")]],
        "Made from": [[("", "recipe"), ("value", "tiny")]],
    }  # fmt: skip
    assert all(each["metric"] for each in files)
    check(found, COMPRESSED | own, HORIZON, STEPS)


@pytest.mark.parametrize(("kind", "key"), [(LayerRow, "layers"), (StateRow, "bought"), (StepRow, "steps")])
def test_rows_come_back_as_they_were_written(kit, kind, key):
    for written in measured(kit)[key]:
        row = kind.from_dict(written)
        assert kind.from_dict(row.as_dict()) == row
        for name, value in written.items():
            if name not in ("figures", "metric"):
                assert row.as_dict()[name] == value


def test_what_is_missing_is_read_as_empty():
    row = LayerRow.from_dict({"layer": None, "unknown": 1})
    assert row.as_dict() == dict.fromkeys(row.as_dict()) | {"layer": "", "kind": "", "precision": "", "left": []}
    assert row == LayerRow()
    assert ComparedRow.from_dict({}) == ComparedRow("", None, None, None, None)
    assert Report.from_dict({}).as_dict() == Report(schema=0).as_dict()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"weights": "many"}, "layers[1].weights: must be a finite number; received many."),
        ({"weights": True}, "layers[1].weights: must be a finite number; received True."),
        ({"left": 3}, "layers[1].left: must be a list; received 3."),
        ({"left": [{"step": 3}]}, "layers[1].left[0].step: must be a text; received 3."),
        ([], "layers[1]: must be an object; received []."),
    ],
)
def test_another_kind_of_value_is_refused_by_place(found, message):
    with pytest.raises(InputError) as caught:
        LayerRow.from_dict(found, "layers[1]")
    assert str(caught.value) == message


def test_a_whole_report_comes_back_as_it_was_written(kit):
    read = Report.from_dict(measured(kit), "report.json:")
    assert Report.from_dict(read.as_dict()) == read
    assert replace(read, schema=SCHEMA).as_dict()["schema"] == SCHEMA


SWAPS = [
    (drawn_compression, "_OF_A_LAYER", 2, 3),
    (drawn_compression, "_OF_A_COMPARISON", 1, 2),
    (drawn_tables, "_SIZES", 3, 4),
    (drawn_tables, "_SIZES", 1, 2),
    (drawn_tables, "_SCORES", 2, 3),
    (drawn_tables, "_PROOFS", 5, 6),
]


@pytest.mark.parametrize(("module", "name", "one", "other"), SWAPS)
def test_swapped_columns_are_found(kit, tmp_path, monkeypatch, module, name, one, other):
    """Proof of the tests above: two cells under each other's heading, and they fail."""
    columns = list(getattr(module, name))
    cells = columns[one].cell, columns[other].cell
    columns[one], columns[other] = (
        replace(columns[i], cell=cell) for i, cell in zip((one, other), cells[::-1], strict=True)
    )
    monkeypatch.setattr(module, name, columns)
    with pytest.raises(AssertionError):
        test_each_value_of_a_run_stands_under_its_heading(kit, tmp_path)


def by_heading(text: str, heads: list[str]) -> list[dict[str, str]]:
    """Rows of a table of aligned columns, whose headings are known."""
    first, *lines = text.splitlines()
    starts = [first.index(head) for head in heads]
    ends = [*starts[1:], None]
    return [{head: line[a:b].strip() for head, a, b in zip(heads, starts, ends, strict=True)} for line in lines]


@pytest.mark.filterwarnings("ignore")
def test_measured_files_stand_under_their_headings(kit):
    """What `dltk compress`, `dltk export` and the model card print."""
    from dltk.workflows.measure import table

    (row,) = Report.from_dict(measured(kit)).artifacts
    row = replace(row, p50_ms=0.175, passed=False)
    heads = ["file", "bytes", "gzip -9", "p50 ms", "metric", "gain [95% interval]", "changed"]
    wanted = ["model.int8.tflite", "1,501", "1,001", "0.175", "accuracy 0.7400", "-4.0 points [-4.3 .. -3.7]"]
    wanted = dict(zip(heads, [*wanted, "7 of 59  FAILED"], strict=True))
    assert by_heading(table([row]), heads) == [wanted]
    del wanted["p50 ms"]
    assert by_heading(table([row], timed=False), list(wanted)) == [wanted]


def test_candidates_stand_under_their_headings(kit):
    from dltk.cli.searched import search_summary_text

    lines = search_summary_text(SearchPart.from_dict(measured(kit)["search"]))
    heads = ["stage", "gain [95% interval]", "bytes", "gzip -9", "p50 ms", "misses", "steps"]
    (_, row) = by_heading("\n".join(lines[2:5]), heads)
    cells = ["search", "-3.0 points [-3.3 .. -2.7]", "3,000", "2,500", "0.175", "drop, size"]
    assert row == dict(zip(heads, [*cells, "prune:sparsity=0.5 quantize"], strict=True))
    assert TrialRow.from_dict({}).row is None


@pytest.mark.parametrize("module", [drawn_page, metrics_text])
@pytest.mark.parametrize(("name", "other"), [("CLASS_FIGURES", 1), ("CLASS_FIGURES", 3), ("HORIZON_FIGURES", 1)])
def test_swapped_figures_are_found(kit, tmp_path, monkeypatch, module, name, other):
    """The same proof for figures per class and per forecast step, on the page and in the text alone."""
    figures = list(getattr(module, name))
    (first, cell), (second, another) = figures[0], figures[other]
    figures[0], figures[other] = (first, another), (second, cell)
    monkeypatch.setattr(module, name, figures)
    run, bundle = (
        test_each_value_of_a_run_stands_under_its_heading,
        test_each_value_of_a_bundle_stands_under_its_heading,
    )
    with pytest.raises(AssertionError):
        (run if name == "CLASS_FIGURES" else bundle)(kit, tmp_path)


def test_pixels_per_class_stand_under_their_headings():
    rows = [{"label": "sky", "iou": 0.5, "precision": 0.625, "recall": None, "pixels": 77}]
    lines = metrics_text.as_text({"samples": 3, "parts": rows}).splitlines()
    assert [line.split() for line in lines[-2:]] == [
        ["iou", "precision", "recall", "pixels"],
        ["sky", "0.5000", "0.6250", "-", "77"],
    ]
