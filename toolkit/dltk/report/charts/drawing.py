"""One way to draw: inline SVG. Equal figures give equal bytes: no dates, a fixed salt, no setting of matplotlib's user.

Labels stay text (the page's font, a few kilobytes a chart) and are never read as mathematics. Colours are the page's
own variables, so that a chart follows its light or dark scheme.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["BLUE", "GRID", "HEIGHT", "INK", "MOST_NAMES", "ORANGE", "SOFT", "Chart", "short", "svg"]

BLUE, ORANGE, INK, GRID, SOFT = "#1f6feb", "#d9730d", "#24292f", "#d8dee4", "#57606a"
MOST_NAMES = 20  # classes whose names fit along a side of 300 pixels
_VARIABLES = {BLUE: "--blue", ORANGE: "--orange", INK: "--ink", GRID: "--line", SOFT: "--soft"}
_WIDTH, HEIGHT = 3.75, 3.3  # inches of 96 pixels: close to a phone's width, so that letters keep their size
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True)
class Chart:
    """A drawing with its title and note.

    Attributes:
        title, note: plain text.
        svg: markup.
        group: charts of one group are in one line of the page.
    """

    title: str
    note: str
    svg: str
    group: int = 0


def short(text: str, limit: int = 12) -> str:
    """`text`, cut to `limit` letters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def svg(name: str, paint: Callable[[Any], None], *, height: float = HEIGHT) -> str:
    """What `paint` draws on axes; `name` sets this chart's ids apart from those of others on the page."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    stream = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")  # a letter its own font lacks: the reader's browser has one that does
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})  # a salt a chart: ids differ within the page
        drawing = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasSVG(drawing)
        paint(drawing.add_subplot())
        drawing.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(stream.getvalue())


def _inline(document: str) -> str:
    """The SVG element alone: no XML head, no metadata, and no id but those that something in it refers to."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", document[document.index("<svg") :], flags=re.DOTALL)
    wanted = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r'style="[^"]*"', _themed, svg)
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in wanted else "", svg)


def _themed(style: re.Match[str]) -> str:
    text = style[0]
    for colour, variable in _VARIABLES.items():
        text = text.replace(f": {colour}", f": var({variable})")
    return text
