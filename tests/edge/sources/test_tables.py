"""Tables as people write them: what is found out, what is stated, and what is refused with both readings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltk.base.errors import InputError
from dltk.edge.sources.tables import AUTO, PLAIN, Dialect, Table, read_head, read_table


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes, name: str = "data.csv", **given: object) -> tuple[Table, list[str]]:
    lines: list[str] = []
    table = read_table(write(folder, text, name), dialect=Dialect(**given), note=lines.append)
    return table, lines


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,x\n2,y\n", ","),
        ("a;b\n1;x, y\n2;z\n", ";"),
        ("a\tb\n1\tx, y\n2\tz\n", "tab"),
        ("a|b\n1|x\n2|y; z\n", "|"),
        ("a::b\n1::x:y\n2::z\n", "::"),
        ("a  b   c\n1   x  2 \n 2 y    3\n", "space"),
    ],
)
def test_the_separator_is_found(tmp_path, text, separator):
    table, lines = read(tmp_path, text)
    assert table.dialect.separator == separator
    assert (table.header[:2], tuple(table.cells[0])) == (("a", "b"), ("1", "2"))
    assert (lines == []) == (separator == ",")


def test_a_plain_csv_has_the_plain_dialect_and_no_line(tmp_path):
    table, lines = read(tmp_path, 'a,b\n1,"x, y"\n1.234,z\n')
    assert table.dialect == PLAIN
    assert lines == []
    assert table.dialect.record == {}


def test_what_was_found_reads_the_file_again(tmp_path):
    path = write(tmp_path, "größe;wert\r\n1.234,5;Käse\r\n7;Brot\r\n".encode("cp1252"))
    lines: list[str] = []
    table = read_table(path, dialect=AUTO, note=lines.append)
    assert lines == [
        "reading data.csv: separator ';', cp1252, header, decimal comma, thousands grouped by points, 2 columns, 2 rows"
    ]
    assert table.numbers(["größe"]).tolist() == [[1234.5], [7.0]]
    again = read_table(path, dialect=table.dialect)
    assert (again.header, again.cells) == (table.header, table.cells)
    with pytest.raises(InputError, match="must be UTF-8"):
        read_table(path)


def test_the_head_is_read_without_the_rest(tmp_path):
    path = write(tmp_path, "a;b\n" + "1,5;x\n" * 1_000_000)
    head = read_head(path, rows=100)
    assert (head.rows, head.is_exact, len(head.table)) == (1_000_000, False, 100)
    assert head.table.dialect.decimal == ","
    short = read_head(write(tmp_path, "a,b\n1,x\n\n2,y\n"), rows=1)
    assert (short.rows, short.is_exact, len(short.table)) == (2, True, 1)
