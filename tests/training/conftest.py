"""Every test has a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """dltk's cache, in the test's folder."""
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
