"""A label out of somebody's data is shown by the model card, and is no markup of it."""

from __future__ import annotations

import pytest

from dltk.workflows.exporting.card import _escaped


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("cat", "cat"),
        ("[click](http://x)", r"\[click\]\(http://x\)"),
        ("<script>", r"\<script\>"),
        ("a\n# b", r"a \# b"),
        ("`x` *y* _z_", r"\`x\` \*y\* \_z\_"),
        ("\x1b[2J", r"\\x1b\[2J"),
    ],
)
def test_labels_are_text(label, shown):
    assert _escaped(label) == shown
