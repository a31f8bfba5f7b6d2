"""A TFLite model object as bytes: equal vectors stored once, weights aligned as devices want them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["pack_model"]

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # bytes, `force_align` of buffers in TFLite's schema; Python's packer leaves it out


def pack_model(model: Any) -> bytes:
    """`model` (a ModelT of TensorFlow's schema) as the bytes of a file.

    A flatbuffer may refer to one vector from many places. Each int8 layer repeats its zero points, all 0, for the
    kernel and again for the bias, eight bytes a channel: a tenth of a small file.
    """
    builder = _builder()
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _builder() -> Any:
    import flatbuffers

    class Sharing(flatbuffers.Builder):
        head: Any  # where the next bytes end; the buffer is filled from its back

        def __init__(self) -> None:
            super().__init__(1024)
            self.written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:
            """As the base class, but equal vectors get one place, and bytes start at a multiple of 16."""
            key = (x.dtype.str, x.tobytes())
            if key not in self.written:
                self.written[key] = self._aligned(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
            return self.written[key]

        def _aligned(self, x: Any) -> int:
            self.StartVector(1, x.size, _ALIGNMENT)
            start: int = self.head - x.size
            self.Bytes[start : start + x.size] = x.tobytes()
            self.head = start
            self.vectorNumElems = x.size
            return int(self.EndVector())

    return Sharing()
