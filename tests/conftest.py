"""What every test stands on: a cache of its own, and a quiet TensorFlow that stays on the processor."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory):
    """Nothing of the user's cache is used or touched; what one test puts there, the next may find."""
    before = os.environ.get("DLTK_CACHE")
    os.environ["DLTK_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["DLTK_CACHE"]
    else:
        os.environ["DLTK_CACHE"] = before
