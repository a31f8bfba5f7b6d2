"""One run and one bundle, made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def kit():
    pytest.importorskip("ai_edge_litert")
    from report import kit as made

    return made


@pytest.fixture(scope="session")
def run(kit, tmp_path_factory):
    return kit.write_run(tmp_path_factory.mktemp("runs") / "flowers", kit.classification())


@pytest.fixture(scope="session")
def bundle(kit, tmp_path_factory):
    measured = {
        "artifacts": [{"file": "model.int8.tflite", "delegated_share": 0.5}],
        "agreement": {"int8": {"top1": 0.9946}},
        "metrics": kit.classification(),
    }
    return kit.write_bundle(tmp_path_factory.mktemp("exported") / "flowers", measured=measured)
