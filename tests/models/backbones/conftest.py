"""Fixtures for the tests of backbones."""

from __future__ import annotations

import pytest

from dltk.base.errors import EnvironmentFault
from dltk.models.backbones import weights


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty cache, and nothing that can be fetched."""

    def refuse(*_args, **_options):
        raise EnvironmentFault("the network", "must be reachable")

    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights.fetch, "download", refuse)
    monkeypatch.setattr(weights.fetch, "from_package", refuse)
