"""The ground floor: what a device needs to read a bundle, prepare a sample, run a model and decode its prediction.

    from dltk.edge import load

    model = load("exported/flowers")
    for label, score in model.predict("rose.jpg", top=3):
        print(label, score)

NumPy and one runtime (ai-edge-litert, tflite-runtime or onnxruntime) are enough; images need Pillow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltk.base.lazy import expose_lazily

if TYPE_CHECKING:
    from dltk.edge.bench import bench
    from dltk.edge.load import load
    from dltk.edge.replay import replay

__all__ = ["bench", "load", "replay"]

expose_lazily(__name__, __all__)
