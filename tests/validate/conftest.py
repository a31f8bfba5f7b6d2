"""A bundle of five tiny artifacts, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny


@pytest.fixture(scope="session")
def models() -> dict[str, bytes]:
    """File name -> bytes, for both formats."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    found = {f"model.{precision}.tflite": tiny.tflite(precision) for precision in ("float32", "int8", "int8-io")}
    return found | {f"model.{precision}.onnx": tiny.onnx(precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="session")
def bundle(models, tmp_path_factory) -> Path:
    """A sound bundle; tests that change one copy it first."""
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    tiny.write_bundle(folder, models)
    return folder
