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


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """`dltk finetune`: a small CNN that knows digits well enough to be held to its answers."""
    import small

    folder = tmp_path_factory.mktemp("runs") / "digits"
    return small.make(folder, "finetune", "cnn", "--data", "digits", "--run", folder, *small.TRAINING)


@pytest.fixture(scope="session")
def compressed(trained, tmp_path_factory):
    """`dltk compress`: two epochs of pruning, then int8."""
    import small

    folder = tmp_path_factory.mktemp("compressed") / "digits"
    prune = "prune:sparsity=0.4,epochs=2,batch_size=32"
    return small.make(folder, "compress", trained.path, "--step", prune, "--step", "quantize", "--run", folder)


@pytest.fixture(scope="session")
def exported(compressed, tmp_path_factory):
    """`dltk export`: every file that the plan allows."""
    import small

    folder = tmp_path_factory.mktemp("exported") / "digits"
    return small.make(folder, "export", compressed.path, "--out", folder)
