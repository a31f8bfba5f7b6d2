"""Tables as people write them: what is found out, what is stated, and what is refused with both readings."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dltk import tasks
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.sources.tables import AUTO, PLAIN, Dialect, Table, dialect_of, read_head, read_table
from dltk.recipe import Built
from dltk.recipe.load import load, resolve


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


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("1,5;2,5\n3,5;4,5\n", ("data.separator=,", "data.separator=;")),
        ("5.1,3.5,a\n4.9,3.0,b\n", ("data.header=none", "data.header=first")),
        ("sunny,hot,no\nsunny,mild,yes\nrain,hot,no\n", ("data.header=none", "data.header=first")),
        ("a;b\n1.234;x\n2.500;y\n", ("data.decimal=. if it is 1.234", "data.decimal=, if it is 1234")),
        ('a,b\n"1,234",x\n"2,000",y\n', ("data.decimal=. if it is 1234", "data.decimal=, if it is 1.234")),
        ("a,b\nEspa\xf1a,1\nx,2\n".encode("cp1252"), ("data.encoding=cp1252", "data.encoding=cp1250")),
        ("Espa\xf1a;1.234\nx;2.500\n".encode("cp1252"), ("data.encoding=cp1252", "data.header=none", "data.decimal=,")),
    ],
)
def test_two_readings_are_refused_with_the_setting_of_each(tmp_path, text, flags):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert all(flag in str(caught.value) for flag in flags)


def test_ten_faults_are_named_and_the_others_counted(tmp_path):
    rows = "".join("1,2\n" if number % 2 else "1\n" for number in range(40))
    with pytest.raises(InputError) as caught:
        read(tmp_path, "a,b\n" + rows)
    message = str(caught.value)
    assert "line 2: must have 2 cells; received 1." in message
    assert "line 20 (1); and 10 more." in message
    table, _ = read(tmp_path, "a,b\n1,x\ny,2\nz,3\n")
    with pytest.raises(
        InputError, match=r"line 3: column 'a' must hold a finite number; received y\. Also line 4 \(z\)"
    ):
        table.numbers(["a"])


def test_damaged_utf_8_is_no_other_encoding(tmp_path):
    for data in (b"a,b\ncaf\xc3\xa9 stra\xdfe,1\n", b"a,b\n1,\xff\n", b"a\nx\n\xe2\n"):
        with pytest.raises(InputError, match="must be UTF-8"):
            read(tmp_path, data)


def test_archives_that_hold_no_one_table_or_too_much_are_refused(tmp_path):
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 20_000_000)
    with pytest.raises(InputError, match="must not unpack to over 100 times its size"):
        read(tmp_path, bomb, "bomb.csv.gz")
    with pytest.raises(InputError, match="must be a whole gzip file"):
        read(tmp_path, gzip.compress(b"a,b\n1,2\n" * 99)[:-9], "cut.csv.gz")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("b.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match=r"a zip must hold one table; received a\.csv, b\.csv"):
        read_table(tmp_path / "two.zip")


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ('{"a": 1}\n{"a": {"b": 1}}\nno\n', "a.jsonl", "line 2: 'a' must be a text, a number, true, false or null"),
        ('[{"a": 1}, [1]]', "a.json", "record 2: must be an object"),
        ('{"a": 1}\n{"a": 2}\n', "a.json", "If each line is an object"),
        ('[{"a": 1, "a": 2}]', "a.json", "a key occurs twice"),
        ('[{"a": NaN}]', "a.json", "NaN is not JSON"),
        ("[" * 100_000, "a.json", "must be valid JSON"),
    ],
)
def test_records_that_are_no_table_are_refused(tmp_path, text, name, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, name)
    assert words in str(caught.value)


def test_parquet_and_workbooks_hold_the_same_table(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"n": [1, 2, None], "x": [0.5, 2.0, 3.25], "t": ["a", "b", "c"]}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.header == ("n", "x", "t")
    assert [list(cells) for cells in table.cells] == [["1", "2", ""], ["0.5", "2", "3.25"], ["a", "b", "c"]]
    assert table.where(1).endswith("record 2")
    parquet.write_table(arrow.table({"n": [[1], [2]]}), tmp_path / "nested.parquet")
    with pytest.raises(InputError, match="column 'n' must hold texts or numbers; received lists or records"):
        read_table(tmp_path / "nested.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    with pytest.raises(InputError, match="must be a whole Parquet file"):
        read_table(tmp_path / "cut.parquet")


def _workbook(path: Path, **sheets: list[list[object]]) -> Path:
    """The smallest .xlsx that holds `sheets`, texts inline."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    names, links, types = "", "", ""
    with zipfile.ZipFile(path, "w") as archive:
        for place, (name, rows) in enumerate(sheets.items(), start=1):
            names += f'<sheet name="{name}" sheetId="{place}" r:id="r{place}"/>'
            links += f'<Relationship Id="r{place}" Type="{office}/worksheet" Target="worksheets/sheet{place}.xml"/>'
            types += f'<Override PartName="/xl/worksheets/sheet{place}.xml" ContentType="{kind}.worksheet+xml"/>'
            lines = "".join(f"<row>{''.join(map(_sheet_cell, row))}</row>" for row in rows)
            sheet = f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>'
            archive.writestr(f"xl/worksheets/sheet{place}.xml", sheet)
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        link = f'<Relationship Id="r0" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships">{link}</Relationships>')
        book = f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types">{book}{types}</Types>')
    return path


def _sheet_cell(value: object) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def test_a_sheet_of_several_is_chosen(tmp_path):
    pytest.importorskip("python_calamine")
    rows: list[list[object]] = [["n", "t"], [1, "a"], [2.5, "b"]]
    table = read_table(_workbook(tmp_path / "one.xlsx", first=rows), dialect=AUTO)
    assert (table.header, [list(cells) for cells in table.cells]) == (("n", "t"), [["1", "2.5"], ["a", "b"]])
    path = _workbook(tmp_path / "two.xlsx", first=[["x"], [1]], second=rows)
    with pytest.raises(InputError, match=r"one sheet must be chosen; received first, second. Set data.sheet=first"):
        read_table(path, dialect=AUTO)
    table = read_table(path, dialect=Dialect(sheet="second"))
    assert table.header == ("n", "t")
    assert read_table(path, dialect=table.dialect).cells == table.cells
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="must be a whole"):
        read_table(path)


def test_a_missing_package_is_named_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentFault, match="needs the package pyarrow") as caught:
        read_table(write(tmp_path, b"PAR1", "a.parquet"))
    assert caught.value.exit_code == 5
    assert "tables" in caught.value.hint or "pyarrow" in caught.value.hint


def test_a_bundle_reads_with_the_dialect_of_training(tmp_path):
    rows = "".join(f"{n},5;{'gut' if n % 3 else 'böse'};{n % 2}\n" for n in range(60))
    path = write(tmp_path, f"wert;güte;ziel\n{rows}".encode("cp1252"))
    loaded = load("tabular")
    settings = resolve(loaded, (), smoke=False)
    task = tasks.task("tabular")
    dataset = task.prepare(settings, str(path), progress=Silent())
    assert dataset.report["table"] == {"op": "table", "separator": ";", "encoding": "cp1252", "decimal": ","}
    signature = tasks.signature_of(task, settings, dataset, Built(None, ()))
    require_consistent(signature)
    labelled = family("tabular").labelled(path, signature)
    assert labelled.raws["numbers"][:, 0].tolist() == [n + 0.5 for n in range(60)]
    again = Signature.from_dict(json.loads(json.dumps(signature.as_dict())), "manifest")
    assert dialect_of(again) == Dialect(";", "cp1252", "first", ",", grouped=False)
    bad = replace(again, preprocess=({"op": "table", "encoding": "unicode_escape"}, *signature.preprocess[:-1]))
    with pytest.raises(InputError, match="table: encoding"):
        require_consistent(bad)
