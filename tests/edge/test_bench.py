"""`bench` measures each artifact by itself and says on what machine."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys

import pytest

from dltk.base.errors import EnvironmentFault, InputError, UsageError
from dltk.edge import bench
from dltk.edge.bench import download_bytes
from dltk.edge.runtime.machine import machine


def test_one_artifact(bundle):
    report = bench(bundle, artifact="model.int8.tflite")
    (found,) = report["artifacts"]
    assert found["status"] == "measured"
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert found["bytes"] == (bundle / "model.int8.tflite").stat().st_size
    assert found["delegated_share"] in (0.0, 1.0)
    assert report["machine"] == machine()
    assert report["threads"] == 1


def test_what_has_no_runtime_is_skipped(bundle, monkeypatch):
    monkeypatch.setattr(sys.modules["dltk.edge.bench"], "available", lambda: ("onnx",))
    monkeypatch.setattr(
        sys.modules["dltk.edge.bench"], "_measure", lambda path, manifest, artifact, threads: artifact.file
    )
    assert len(bench(bundle)["artifacts"]) == 5
    monkeypatch.setattr(sys.modules["dltk.edge.bench"], "available", lambda: ())
    with pytest.raises(EnvironmentFault, match="pip install"):
        bench(bundle)


def test_wrong_wishes(bundle):
    with pytest.raises(UsageError, match="threads"):
        bench(bundle, threads=0)
    with pytest.raises(InputError, match="Did you mean"):
        bench(bundle, artifact="model.int8.tflit")


@pytest.mark.skipif(shutil.which("gzip") is None, reason="compares with the gzip command")
def test_download_is_what_gzip_gives():
    data = b"weights" * 5000 + bytes(range(256)) * 20
    done = subprocess.run(["gzip", "-9", "-n"], input=data, capture_output=True, check=True)
    # Other builds of deflate choose other matches; a tenth is far more than any of them differ.
    assert download_bytes(data) == pytest.approx(len(done.stdout), rel=0.1)
    assert gzip.decompress(done.stdout) == data


def test_the_machine_has_a_name():
    found = machine()
    assert found["cpu"]
    assert found["architecture"]
    assert found["threads"] >= 1
