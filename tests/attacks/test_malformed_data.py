"""Malformed data sets: one clear error that names file and line or key, and nothing of the user's is changed."""

from __future__ import annotations

import pytest

import small
from attacks.malformed import MALFORMED
from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.recipe.load import read, resolve


@pytest.mark.parametrize("name", MALFORMED)
def test_one_clear_error_and_no_changed_file(tmp_path, monkeypatch, name):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    case, folder = MALFORMED[name], tmp_path / "given"
    folder.mkdir()
    source = case.make(folder)
    before = small.files(folder)
    recipe = read(case.recipe).recipe
    with pytest.raises(InputError) as raised:
        tasks.task(recipe.task).prepare(resolve(recipe, case.set), str(source), progress=SILENT)
    message = str(raised.value).replace(f"{folder}/", "")
    assert message.startswith(case.where)
    assert case.says in message
    assert "\n" not in message
    assert small.files(folder) == before
