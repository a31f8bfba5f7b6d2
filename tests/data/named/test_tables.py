"""Tables by name: each is one file of one package, held to its hash."""

from __future__ import annotations

import pytest

from dltk.base.fetch import Package
from dltk.data.named import load as tables
from dltk.data.named.load import TABLES, table_path


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_one_pinned_file(name, tmp_path, monkeypatch):
    package = TABLES[name]
    assert isinstance(package, Package)
    ((member, digest),) = package.members.items()
    assert member.endswith(".csv")
    assert len(digest) == 64
    monkeypatch.setattr(tables, "from_package", lambda asked, progress: {member: tmp_path / asked.name})
    assert table_path(name) == tmp_path / package.name
