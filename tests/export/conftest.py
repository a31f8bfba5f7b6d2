"""Deployed graphs with their plans, and the artifacts made of them, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

import zoo
from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.port import Session
from dltk.edge.runtime.sessions import open_session
from dltk.export import onnx, tflite
from dltk.quantization.calibration import calibrate
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

EMIT = {"tflite": tflite.emit, "onnx": onnx.emit}
TAUGHT = {*zoo.CNNS, "lstm", "sequence", "causal"}  # one output of logits: their heads are solved for the samples


@dataclass(frozen=True)
class Case:
    """A model, what it gives on samples, and what export makes of it."""

    model: Any
    graph: Graph
    signature: Signature
    plan: QuantizationPlan
    tensors: dict[str, Any]
    expected: dict[str, Any]

    def emit(self, format: str, precision: str) -> bytes:
        return EMIT[format](self.graph, self.signature, precision, self.plan)


@cache
def case_of(name: str) -> Case:
    model = zoo.shake(zoo.MODELS[name]())
    if name in TAUGHT:
        zoo.teach(model)
    values = zoo.samples(model, 256, seed=8)
    graph, signature = deployed_graph(read(model)), zoo.signature(model)
    calibration = {item.name: value for item, value in zip(graph.inputs, zoo.samples(model, 100), strict=True)}
    plan = calibrate(graph, calibration, limits={})
    expected = dict(zip([spec.name for spec in signature.outputs], zoo.expected(model, values), strict=True))
    return Case(model, graph, signature, plan, zoo.feeds(model, values), expected)


@cache
def artifact(name: str, format: str, precision: str) -> bytes:
    return case_of(name).emit(format, precision)


@cache
def session(name: str, format: str, precision: str) -> Session:
    return open_session(format, artifact(name, format, precision))


@cache
def answers(name: str, format: str, precision: str) -> dict[str, Any]:
    return session(name, format, precision).run(case_of(name).tensors)


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers above, for tests."""
    return SimpleNamespace(case=case_of, artifact=artifact, session=session, answers=answers)
