"""Measurements of a run or a bundle as text, JSON, or one self-contained HTML page (floor 10).

    from dltk.report import as_text, collect, write_report

    found = collect("exported/flowers")
    print(as_text(found))
    write_report(found, "flowers.html")

Text and JSON need nothing beside the base install; the page is drawn with the extra `report`.
"""

from __future__ import annotations

from dltk.report.collect import collect, of_bundle
from dltk.report.text import as_text
from dltk.report.write import as_bytes, require_writable, write_report

__all__ = ["as_bytes", "as_text", "collect", "of_bundle", "require_writable", "write_report"]
