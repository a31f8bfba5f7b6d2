"""Hostile bundles, pictures and recordings, through the commands that a device has."""

from __future__ import annotations

import pytest

from attacks import kit
from attacks.bundles import BUNDLES
from attacks.inputs import INPUTS
from attacks.kinds import KINDS
from attacks.models import MODELS

pytestmark = kit.LINUX
pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")

ATTACKS = MODELS | BUNDLES | INPUTS | KINDS


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    places, cases = kit.prepare(ATTACKS, tmp_path_factory.mktemp("attacks"))
    return places, cases, kit.run(places, cases)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_code_no_outside_read_one_line_little_memory(outcomes, name):
    places, cases, found = outcomes
    kit.judge(places[name], cases[name], found[name])
    assert found[name].seconds < kit.SECONDS
