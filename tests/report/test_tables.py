"""Every table of a report, as a reader sees it: each value under its own heading, in text and on the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dltk.base.files import canonical_json
from dltk.report import as_text, collect
from dltk.report.page import as_html
from dltk.report.schema import ComparedRow, LayerRow, StateRow, StepRow

# title -> rows by heading, in the order of the columns; None where the page alone has the table
COMPRESSED = {
    "Effect of each step": [
        [("after", "source, float32"), ("file", "4.0 KB"), ("download", "3.5 KB"), ("of source", "88%"),
         ("p50 ms", "0.5000"), ("of source", "100%"), ("metric", "0.7500"), ("gain", "-5.0 points"),
         ("interval", "-9.0 .. -1.0")],
        [("after", "quantize, int8"), ("file", "1.5 KB"), ("download", "1.0 KB"), ("of source", "1/4.0"),
         ("p50 ms", "0.1250"), ("of source", "1/4.0"), ("metric", "0.7500"), ("gain", "-5.0 points"),
         ("interval", "-9.0 .. -1.0")],
    ],
    "Compression": [
        [("step", "quantize"), ("settings", "precision=int8"), ("layers changed", "2"), ("unchanged", "1")],
        [("step", "prune"), ("settings", "-"), ("layers changed", "0"), ("unchanged", "0")],
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
         ("download", "1.0 KB"), ("p50 ms", "0.1250"), ("metric", "0.7500"), ("gain", "-5.0 points"),
         ("misses", "drop")],
    ],
    "Layers by their loss in int8": [[("layer", "conv"), ("gain", "-6.2 points")]],
    "Unchanged layers": [[("step", "quantize"), ("layer", "softmax"), ("reason", "stays float")]],
}  # fmt: skip
RUN = COMPRESSED | {
    "Artifacts": [
        [("file", "model.int8.tflite"), ("format", "tflite"), ("precision", "int8"), ("bytes", "1500"),
         ("download (gzip -9)", "1000"), ("delegated", "50%")],
    ],
    "Metric": [
        [("file", "model.int8.tflite"), ("metric", "accuracy"), ("value", "0.7500"), ("reference", "0.8000"),
         ("gain", "-5.0 points"), ("interval", "-9.0 .. -1.0"), ("changed", "-")],
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
        [("side", "test"), ("samples", "60")],
        [("side", "train"), ("samples", "40")],
        [("side", "validation"), ("samples", "9")],
    ],
    "Skipped files": [[("file", "cat/broken.jpg"), ("reason", "is cut off")]],
    "Dropped copies": [[("file", "cat/2.png"), ("the same as", "cat/1.png"), ("which stays in", "test")]],
    "Equal images with different labels": [[("files", "cat/3.png: cat; dog/3.png: dog")]],
}  # fmt: skip
ON_THE_PAGE = {
    "Classes of the run, on its test split": [
        [("", "cat"), ("precision", "0.9000"), ("recall", "0.8000"), ("f1", "0.8500"), ("auc", "0.9500"),
         ("samples", "23")],
        [("", "dog"), ("precision", "0.9000"), ("recall", "0.8000"), ("f1", "0.8500"), ("auc", "-"),
         ("samples", "18")],
        [("", "owl"), ("precision", "0.9000"), ("recall", "0.8000"), ("f1", "0.8500"), ("auc", "0.9500"),
         ("samples", "19")],
        [("", "mean"), ("precision", "0.9000"), ("recall", "0.8000"), ("f1", "0.8500"), ("auc", "0.9500"),
         ("samples", "")],
    ],
}  # fmt: skip
HORIZON = {
    "Horizon of the run, on its test split": [
        [("step", f"+{step}"), ("mean absolute error", "0.2000"), ("root mean squared error", "0.2500")]
        for step in (1, 2)
    ],
}


def measured(kit) -> dict:
    """The report.json of a compression in which no two figures of a row are alike."""
    found = kit.findings()
    state = {"file": "model.tflite", "metric": kit.METRIC}
    found["bought"] = [
        state | {"after": "source, float32", "precision": "float32", "bytes": 4000, "download_bytes": 3500}
        | {"p50_ms": 0.5},
        state | {"after": "quantize", "precision": "int8", "bytes": 1500, "download_bytes": 1000, "p50_ms": 0.125},
    ]  # fmt: skip
    left = [{"step": "prune", "reason": "fewer than 1000 weights"}, {"step": "cluster", "reason": "few values"}]
    dense = {"layer": "dense", "kind": "Dense", "channels_before": 3, "channels": 3, "weights": 27, "sparsity": 0.0}
    dense |= {"clusters": None, "precision": "float32", "snr_db": None, "left": []}
    found["layers"] = [found["layers"][0] | {"layer": "conv", "left": left}, dense]
    found["divergence"]["layers"][0]["layer"] = "conv"
    found["search"]["sensitivity"][0]["layer"] = "conv"
    found["search"]["trials"][0]["error"] = "no ranges"
    quantize = found["steps"][0]
    found["steps"] = [
        quantize | {"figures": quantize["figures"] | {"calibration": {"method": "mse"}}},
        found["steps"][1],
    ]
    parity = {"measure": "cosine", "error": 0.002, "tolerance": 0.99, "top1_agreement": 0.97}
    parity["notes"] = ["1 of 12 changed; 12 cannot decide", "accuracy: 12 cannot decide"]
    artifact = {"file": "model.int8.tflite", "format": "tflite", "precision": "int8", "bytes": 1500}
    artifact |= {"download_bytes": 1000, "parity": parity, "metric": kit.METRIC, "ranges": "shared"}
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


def check(report, shared, page_only) -> None:
    drawn = Tables(as_html(report)).found
    assert set(drawn) == set(shared) | set(page_only)
    for title, rows in (shared | page_only).items():
        heads, *found = drawn[title]
        assert [list(zip(heads, cells, strict=True)) for cells in found] == rows, title
    text = in_text(as_text(report))
    for title, rows in shared.items():
        wanted = lines_of(rows)
        assert text[title][: len(wanted)] == wanted, title


def test_each_value_of_a_run_stands_under_its_heading(kit, tmp_path):
    folder = kit.write_run(tmp_path / "run", kit.classification())
    (folder / "report.json").write_bytes(canonical_json(measured(kit)))
    check(collect(folder), RUN, ON_THE_PAGE)


def test_each_value_of_a_bundle_stands_under_its_heading(kit, tmp_path):
    more = {"agreement": {"int8": {"top1": 0.9946}}, "reference": {"accuracy": 0.9}, "metrics": kit.forecast()}
    found = collect(kit.write_bundle(tmp_path / "bundle", measured=measured(kit) | more))
    files = found["artifacts"]
    own = {
        "Artifacts": [
            [("file", each["file"]), ("format", "tflite"), ("precision", precision), ("bytes", str(each["bytes"])),
             ("download (gzip -9)", str(each["download_bytes"])), ("delegated", share)]
            for each, precision, share in zip(files, ("float32", "int8"), ("-", "50%"), strict=True)
        ],
        "Metric": [[("file", each["file"]), *RUN["Metric"][0][1:]] for each in files],
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
    check(found, COMPRESSED | own, HORIZON)


@pytest.mark.parametrize(("kind", "key"), [(LayerRow, "layers"), (StateRow, "bought"), (StepRow, "steps")])
def test_rows_come_back_as_they_were_written(kit, kind, key):
    for written in measured(kit)[key]:
        row = kind.from_dict(written)
        assert kind.from_dict(row.as_dict()) == row
        for name, value in written.items():
            if name not in ("figures", "metric"):
                assert row.as_dict()[name] == value


def test_rows_of_another_form_are_read_as_empty():
    row = LayerRow.from_dict({"layer": None, "weights": "many", "left": 3, "snr_db": True, "unknown": 1})
    assert row.as_dict() == dict.fromkeys(row.as_dict()) | {"layer": "", "kind": "", "precision": "", "left": []}
    assert ComparedRow.from_dict({}) == ComparedRow("", None, None, None, None)
    assert StepRow.from_dict({"skipped": [{"layer": "a"}, 3]}).as_dict()["skipped"] == [{"layer": "a", "reason": ""}]
