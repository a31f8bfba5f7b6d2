"""The heavy public API (floor 12): each function does what the command of its name does.

from dltk.workflows import finetune

run = finetune("cnn", data="digits", smoke=True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltk.base.lazy import expose_lazily

if TYPE_CHECKING:
    from dltk.workflows.adopt import adopt
    from dltk.workflows.compress import compress
    from dltk.workflows.export import export
    from dltk.workflows.finetune import finetune

__all__ = ["adopt", "compress", "export", "finetune"]

expose_lazily(__name__, __all__)
