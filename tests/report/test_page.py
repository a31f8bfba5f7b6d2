"""The page: one file, the same bytes every time, and nothing in it that a stranger could run."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from dltk.base.files import canonical_json
from dltk.base.install import pip_extra
from dltk.cli.main import cli
from dltk.report import as_bytes, collect

pytest.importorskip("matplotlib", reason="the page is drawn with the extra report")
pytest.importorskip("jinja2", reason="the page is drawn with the extra report")

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{</svg></style><b>", "猫 {{ name }}")


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(path) -> str:
    return as_bytes(collect(path), "html").decode()


def dltk(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def titles(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_a_page_of_a_run_shows_everything(run):
    found = titles(page(run))
    for title in ("Loss", "Accuracy", "Confusion matrix", "ROC", "Reliability", "History", "Data: photos"):
        assert title in found


def test_a_page_of_a_bundle_shows_everything(bundle):
    found = titles(page(bundle))
    for title in ("Size", "Drop of the metric", "Artifacts", "Metric", "Parity with the reference", "Operators", "ROC"):
        assert title in found


def test_pages_of_other_tasks(kit, tmp_path):
    forecast = titles(page(kit.write_run(tmp_path / "f", kit.forecast())))
    assert "Error per step of the horizon" in forecast
    assert "A forecast" not in forecast
    assert "A forecast" in titles(page(kit.write_run(tmp_path / "j", kit.judged_forecast())))
    generator = titles(page(kit.write_run(tmp_path / "g", kit.GENERATOR, data=None)))
    assert "Loss" in generator
    assert "ROC" not in generator
    folder = kit.write_run(tmp_path / "c", kit.classification(), history=None)
    (folder / "report.json").write_bytes(canonical_json(kit.COMPRESSION))
    assert "Compression" in titles(page(folder))


@pytest.fixture
def compressed(kit, tmp_path):
    """A run and a bundle with every finding there is, in hostile words."""
    folder = kit.write_run(tmp_path / "c", kit.classification(HOSTILE), history=None)
    (folder / "report.json").write_bytes(canonical_json(kit.findings(HOSTILE)))
    return folder, kit.write_bundle(tmp_path / "cb", measured=kit.findings(HOSTILE))


def test_a_page_of_a_compression_shows_what_it_bought(compressed):
    shown = (
        "Effect of each step", "Candidates: metric over download", "Candidates: metric over p50", "Reliability",
        "Confusion matrix, before", "Confusion matrix, after", "ROC, after", "Layers", "Candidates of the search",
        "Differences between Keras, LiteRT and ONNX Runtime", "Layers by their loss in int8", "To reproduce it",
    )  # fmt: skip
    for path in compressed:
        text = page(path)
        assert set(shown) <= set(titles(text))
        assert text == page(path)
        elements = Elements(text)
        assert not {tag for tag, _ in elements.found} & {"script", "img", "link"}
        assert "<b></figcaption>" not in text
        assert HOSTILE[0] in elements.text
        assert text.count("<b>") == text.count('class="tile"')  # tiles have one each; names have none
        identifiers = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
    (tile,) = re.findall(r"<b>([^<]*)</b><span>of the source&#39;s float32 file", text)
    assert tile == "1/4.0"


def test_a_page_without_calibration_bins_shows_bars(kit, tmp_path):
    metrics = kit.classification()
    del metrics["calibration"]["reliability"]  # as an older dltk wrote it
    assert "Calibration" in titles(page(kit.write_run(tmp_path / "run", metrics)))


def test_charts_follow_the_scheme_of_the_page(run):
    text = page(run)
    assert "prefers-color-scheme: dark" in text
    for colour in ("#1f6feb", "#24292f", "#d8dee4"):
        assert f": {colour}" not in text.split("</style>", 1)[1]
    assert "fill: var(--ink)" in text


@pytest.mark.parametrize("count", [30, 2])
def test_many_and_few_classes(kit, tmp_path, count):
    labels = tuple(f"a rather long name {number}" for number in range(count))
    assert "Confusion matrix" in titles(page(kit.write_run(tmp_path / "run", kit.classification(labels))))


def test_equal_reports_give_equal_pages(run, bundle, monkeypatch):
    import matplotlib

    first = page(run), page(bundle)
    with matplotlib.rc_context({"font.size": 30.0, "svg.fonttype": "path"}):  # as a user's own matplotlibrc may say
        assert (page(run), page(bundle)) == first
    assert "<metadata>" not in first[0]


def test_a_page_stands_alone(run, bundle):
    for text in (page(run), page(bundle)):
        elements = Elements(text).found
        assert not {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "embed", "base", "form"}
        for _, attributes in elements:
            for name, value in attributes.items():
                assert not name.startswith("on")
                if name in ("src", "href", "xlink:href", "action", "data"):
                    assert value.startswith(("#", "data:image/png;base64,")), value
        assert "@import" not in text
        assert not re.search(r"url\((?!#)", text)  # only parts of the same drawing
        policy = next(attributes["content"] for _, attributes in elements if "http-equiv" in attributes)
        assert policy.startswith("default-src 'none';")
        assert "script-src" not in policy


def test_ids_within_a_page_differ(run):
    found = [attributes["id"] for _, attributes in Elements(page(run)).found if "id" in attributes]
    assert len(found) == len(set(found))


def test_hostile_names_are_only_text(kit, tmp_path):
    folder = kit.write_run(tmp_path / HOSTILE[1].replace("/", "_"), kit.classification(HOSTILE))
    data = kit.DATA | {"source": HOSTILE[0]}
    data["report"] = data["report"] | {"skipped": [{"name": HOSTILE[0], "reason": HOSTILE[2]}]}
    (folder / "data.json").write_bytes(canonical_json(data))
    for path in (folder, kit.write_bundle(tmp_path / "b", measured={"metrics": kit.classification(HOSTILE)})):
        elements = Elements(page(path))
        assert not {tag for tag, _ in elements.found} & {"script", "img"}
        assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
        assert all(label in elements.text for label in HOSTILE)


def test_a_page_without_its_packages_names_the_extra(run, tmp_path, monkeypatch):
    for package in ("jinja2", "matplotlib"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            done = dltk("report", run, "--out", tmp_path / "run.html")
            assert done.exit_code == 5
            assert pip_extra("report") in done.stderr
            assert dltk("report", run, "--out", tmp_path / "run.txt").exit_code == 0
    assert not (tmp_path / "run.html").exists()


def test_the_command_writes_and_replaces(bundle, tmp_path):
    out = tmp_path / "new" / "page.HTML"
    first = json.loads(dltk("report", bundle, "--out", out, "--json").stdout)
    assert first["bytes"] == out.stat().st_size
    out.write_text("old")
    done = dltk("report", bundle, "--out", out)
    assert done.exit_code == 0
    assert str(out) in done.stdout
    assert out.read_bytes() == as_bytes(collect(bundle), "html")
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_command_prints_text_or_json(run):
    assert "History" in dltk("report", run).stdout
    assert json.loads(dltk("report", run, "--json").stdout)["kind"] == "run"


def test_places_where_no_report_can_stand(run, bundle, tmp_path):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("x")
    before = (bundle / "report.json").read_bytes()
    places = {
        tmp_path / "page.pdf": 2,
        tmp_path / "page": 2,
        tmp_path / "folder.html": 3,
        tmp_path / "file" / "page.txt": 3,
        bundle / "report.json": 3,  # a file more, or another, and the bundle is damaged
        bundle / "page.html": 3,
        run / "metrics.json": 3,
    }
    for out, code in places.items():
        done = dltk("report", run, "--out", out)
        assert (done.exit_code, "Error:" in done.stderr) == (code, True), (out, done.output)
    assert (bundle / "report.json").read_bytes() == before
    assert dltk("report", tmp_path / "nothing", "--out", tmp_path / "page.html").exit_code == 3
