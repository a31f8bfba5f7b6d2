"""Look at tensors inside a graph while calibration samples run through it, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.twin.graph import Graph

__all__ = ["observe_tensors", "tensor_observer"]

_BATCH = 25  # samples; all watched tensors of a batch are in memory together

Rows = Iterator[list[NDArray[Any]]]


def observe_tensors(
    graph: Graph,
    names: Sequence[str],
    tensors: Mapping[str, NDArray[Any]],
    reduce: Callable[[list[Any]], list[Any]],
    *,
    hook: Callable[[str, Any], Any] | None = None,
    progress: Progress = SILENT,
    label: str = "calibrating",
) -> Rows:
    """What `reduce` makes of the watched tensors, batch by batch.

    Args:
        names: tensors to watch.
        tensors: input name -> samples (n, ...).
        reduce: TensorFlow function, compiled with the graph: watched tensors (batch, ...) -> anything smaller.
        hook: as `dltk.twin.build.build` takes it.
    """
    return tensor_observer(graph, names, reduce, hook=hook, progress=progress, label=label)(tensors)


def tensor_observer(
    graph: Graph,
    names: Sequence[str],
    reduce: Callable[[list[Any]], list[Any]],
    *,
    hook: Callable[[str, Any], Any] | None = None,
    progress: Progress = SILENT,
    label: str = "calibrating",
) -> Callable[[Mapping[str, NDArray[Any]]], Rows]:
    """`observe_tensors` for more than one set of samples (n, ...): the graph is built and compiled once."""
    import tensorflow as tf

    from dltk.twin.build import build

    twin, skip = build(graph, hook=hook, also=tuple(names)), len(graph.outputs)

    @tf.function(reduce_retracing=True, autograph=False)
    def look(batch: list[Any]) -> list[Any]:
        return reduce(tf.nest.flatten(twin(batch, training=False))[skip:])

    def run(tensors: Mapping[str, NDArray[Any]]) -> Rows:
        count = len(next(iter(tensors.values())))
        with progress.bar(label, count) as bar:
            for start in range(0, count, _BATCH):
                batch = [tf.constant(tensors[item.name][start : start + _BATCH]) for item in graph.inputs]
                yield [value.numpy() for value in look(batch)]
                bar.advance(len(batch[0]))

    return run
