"""onnxruntime's own calibration, for graphs whose loops (LSTM, GRU) have no ranges that two formats could share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dltk.base.files import scratch_folder
from dltk.edge.bundle.signature import Signature
from dltk.quantization.codes import LEVELS
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph

__all__ = ["calibrate_natively"]


def calibrate_natively(model: Any, plan: QuantizationPlan, graph: Graph, signature: Signature) -> Any:
    """`model` quantized by onnxruntime on the plan's samples; what it cannot quantize stays float."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            names = [spec.name for spec in signature.inputs]
            arrays = [plan.samples[item.name] for item in graph.inputs]
            count = len(arrays[0])
            self.rows = iter(
                [dict(zip(names, (array[i : i + 1] for array in arrays), strict=True)) for i in range(count)]
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self.rows, None)

    with scratch_folder("dltk-") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            Samples(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=plan.levels < LEVELS,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load_model_from_string(target.read_bytes())
