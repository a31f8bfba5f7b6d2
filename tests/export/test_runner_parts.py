"""What run.pyz leaves out: readers of labelled data, and what finds out how a table is written. What it reads stays."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import alone
import tiny
from dltk.cli.main import cli
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import FAMILIES, family
from dltk.export.runner import RUNNER, runner
from edge.signatures import SIGNATURES
from table_rows import VALUES

ROWS = Signature(
    task="tabular",
    family="tabular-values",
    inputs=VALUES.inputs[:1],
    outputs=VALUES.outputs,
    preprocess=(
        {"op": "columns", "numbers": ["age", "rent"], "categories": [], "targets": ["income", "debt"], "empty": ["NA"],
         "missing": "mean"},
        {"op": "standardize", "mean": [40.0, 500.0], "std": [10.0, 100.0]},
    ),
    postprocess=VALUES.postprocess,
)  # fmt: skip
DIALECT = {"op": "table", "separator": ";", "encoding": "cp1252", "decimal": ","}


def copied() -> bytes:
    """A model whose output `values` is its input `numbers`."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("numbers", "values")]
    graph = helper.make_graph([helper.make_node("Identity", ["numbers"], ["values"])], "copy", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    packages = ("numpy", "onnxruntime", "flatbuffers", "protobuf")
    return alone.packages(tmp_path_factory.mktemp("device") / "site", *packages)


@pytest.fixture(scope="module", params=["plain", "dialect"])
def bundle(request, site, tmp_path_factory):
    """(its path, the text of two rows as its tables are written)."""
    steps = ROWS.preprocess if request.param == "plain" else (DIALECT, *ROWS.preprocess)
    signature = replace(ROWS, preprocess=steps)
    raws = family("tabular-values").synthetic(signature, count=4, seed=0)
    tensors = family("tabular-values").tensors(raws, signature)
    golden = {"raw": raws, "tensor:numbers": tensors["numbers"], "output:values": tensors["numbers"]}
    folder = tmp_path_factory.mktemp("bundles") / request.param
    tiny.write_bundle(
        folder, {"model.float32.onnx": copied()}, signature=signature, golden=golden,
        more={RUNNER: runner("tabular-values")},
    )  # fmt: skip
    text = "age,rent,café\n41.5,1234.5,x\n30,500,y\n"
    return folder, text if request.param == "plain" else text.replace(",", ";").replace(".", ",")


def test_a_table_in_the_dialect_of_training_is_read(site, bundle, tmp_path):
    folder, text = bundle
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode("cp1252" if ";" in text else "utf-8"))
    done = alone.run(site, folder / RUNNER, file, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["answers"]
    assert [each["answer"] for each in answers] == [
        pytest.approx({"income": 1030.0, "debt": 7.345}, rel=1e-5),
        pytest.approx({"income": 800.0, "debt": 0.0}, abs=1e-4),
    ]
    there = CliRunner().invoke(cli, ["predict", str(folder), str(file), "--json"])
    assert json.loads(there.stdout)["answers"] == answers
    assert alone.run(site, folder / RUNNER, "--check").returncode == 0


@pytest.mark.parametrize("written", ["age,rent\n1,2,3\n", "age;rent\n1\n", "rent\n1\n", "age,rent\n\xff,2\n"])
def test_a_table_that_is_refused_is_refused_in_the_same_words(site, bundle, tmp_path, written):
    file = tmp_path / "rows.csv"
    file.write_bytes(written.encode("latin-1"))
    done = alone.run(site, bundle[0] / RUNNER, file)
    there = CliRunner().invoke(cli, ["predict", str(bundle[0]), str(file)])
    assert (done.returncode, there.exit_code) == (3, 3)
    assert done.stderr.strip() == there.stderr.strip()


@pytest.mark.parametrize("name", ["classification", "anomaly", "segmentation", "image-text", "recommendation"])
def test_what_is_left_out_is_named_where_it_is_reached(name, tmp_path):
    (tmp_path / RUNNER).write_bytes(runner(name))
    code = (
        f"import runpy, sys; found = runpy.run_path({str(tmp_path / RUNNER)!r}, run_name='carried')\n"
        "sys.meta_path.insert(0, found['Carried']())\n"
        "from dltk.base.errors import EnvironmentFault\n"
        "from dltk.edge.families import family\n"
        "from dltk.edge.bundle.signature import Signature\n"
        "signature = Signature('t', 'f', (), ())\n"
        f"try: family({name!r}).labelled('data', signature)\n"
        "except EnvironmentFault as fault: print(fault)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert "run.pyz: does not carry dltk.edge." in done.stdout, done.stderr
    assert "Install dltk, and use `dltk predict` or `dltk validate`." in done.stdout


@pytest.mark.parametrize("family_name", FAMILIES)
def test_what_it_never_calls_is_not_there(family_name):
    with zipfile.ZipFile(BytesIO(runner(family_name))) as archive:
        names = set(json.loads(archive.read("modules.json")))
    edge = "dltk.edge."
    assert not {f"{edge}sources.{name}" for name in ("boxes", "listing", "masks", "ratings", "labels")} & names
    assert not {f"{edge}sources.tables.{name}" for name in ("sniff", "encoding", "head")} & names
    assert (f"{edge}input.sound" in names) == (family_name == "audio")
    assert not {f"{edge}{name}" for name in ("runtime.worker", "bundle.archive", "bundle.seal")} & names


@pytest.mark.parametrize("family_name", FAMILIES)
def test_tensors_are_made_by_what_it_carries(family_name, tmp_path):
    """By the steps of each family, such as the spectrogram of a recording."""
    (tmp_path / RUNNER).write_bytes(runner(family_name))
    signature = SIGNATURES[family_name]
    raws = family(family_name).synthetic(signature, count=2, seed=0)
    np.save(tmp_path / "raws.npy", raws)
    (tmp_path / "signature.json").write_text(json.dumps(signature.as_dict()))
    for name, data in signature.assets.items():
        (tmp_path / name).write_bytes(data)
    code = (
        f"import runpy, sys, json; found = runpy.run_path({str(tmp_path / RUNNER)!r}, run_name='carried')\n"
        "sys.meta_path.insert(0, found['Carried']())\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from dltk.edge.families import family\n"
        "from dltk.edge.bundle.signature import Signature\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "signature = Signature.from_dict(json.loads((folder / 'signature.json').read_text()), 'signature')\n"
        "signature = signature.with_assets(lambda name: (folder / name).read_bytes())\n"
        "raws = np.load(folder / 'raws.npy')\n"
        f"tensors = family({family_name!r}).tensors(raws, signature)\n"
        "print(json.dumps({name: array.tolist() for name, array in tensors.items()}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    there = family(family_name).tensors(raws, signature)
    assert json.loads(done.stdout) == {name: array.tolist() for name, array in there.items()}


def test_edge_imports_from_the_modules_and_not_from_lazy_packages():
    """A name of `dltk.edge.sources` is found when it is asked for, which the runner does not see."""
    import dltk.edge

    root = Path(dltk.edge.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "dltk.edge.sources":
                assert {alias.name for alias in node.names} <= {each.stem for each in (root / "sources").iterdir()}
            if isinstance(node, ast.ImportFrom) and node.module == "dltk.edge.sources.tables":
                assert path.parent.name == "tables" or "read_head" not in {alias.name for alias in node.names}, path
