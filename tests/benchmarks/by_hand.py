"""Prune, cluster and train for int8: dltk's steps beside tfmot as its guides show it, same model, data and epochs."""

from __future__ import annotations

import gzip
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compression import source
from dltk.edge.metrics import paired_bootstrap
from dltk.edge.runtime.machine import machine
from others import Subject
from support.figures import Figure, at_most
from support.shell import console_script, once

__all__ = ["by_hand"]

_SPARSITY, _CLUSTERS, _EPOCHS, _BATCH, _RATE = 0.5, 16, 2, 128, 1e-3
_SLOWEST, _LOWEST = 0.8, -0.3


def by_hand(name: str, *, runs: Path, limit: int = 0) -> list[Figure]:
    """Seconds and accuracy of both ways, one after the other in one run."""
    samples, run, quantized = limit or 10_000, source(name, runs, limit), runs / f"{name}-int8"
    once(quantized, [console_script(), "compress", run, "--no-control", "--run", quantized, "--step", "quantize"])
    subject = Subject(run, quantized)
    ours, our_seconds = _dltk(subject, run, samples)
    theirs, their_seconds = _tfmot(subject, samples)
    mine, other = subject.scores(ours, "tflite"), subject.scores(theirs, "tflite")
    mean, low, high = (100 * value for value in paired_bootstrap(mine, other, seed=0))
    how = f"{samples:,} images, {_EPOCHS} epochs per step, {_SPARSITY:.0%} zeros, {_CLUSTERS} clusters"
    share, size = our_seconds / their_seconds, len(ours) / len(theirs)
    seconds, interval = (
        f"{our_seconds:.0f} and {their_seconds:.0f} s",
        f"{low:+.2f} to {high:+.2f}, 95% paired bootstrap",
    )
    sizes, packed = (f"{a:,} and {b:,} bytes" for a, b in ((len(ours), len(theirs)), (_packed(ours), _packed(theirs))))
    points = f"points of accuracy above tfmot by hand ({other.mean():.4f})"
    rows = [
        (
            f"time relative to tfmot by hand; {how}",
            f"{share:.2f}",
            seconds,
            "at most 0.8",
            at_most(share, _SLOWEST),
        ),
        (points, f"{mean:+.2f}", interval, "above -0.3", low > _LOWEST),
        ("bytes relative to tfmot by hand", f"{size:.3f}", sizes, "at most 1.02", at_most(size, 1.02)),
        ("download relative to tfmot by hand", f"{_packed(ours) / _packed(theirs):.3f}", packed, "", None),
    ]
    command = f"python tests/benchmarks/bench.py --only by-hand-{name}"
    return [Figure(f"by-hand-{name}", what, command, *rest, machine()) for what, *rest in rows]


def _packed(data: bytes) -> int:
    return len(gzip.compress(data, 9, mtime=0))


def _dltk(subject: Subject, run: Path, samples: int) -> tuple[bytes, float]:
    """The steps without a teacher and without augmentation, since the guides have neither."""
    from dltk.compress.candidate import Candidate
    from dltk.compress.steps import parse_steps
    from dltk.export.emit import Target
    from dltk.export.tflite import emit
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    common = f"epochs={_EPOCHS},batch_size={_BATCH},learning_rate={_RATE},samples={samples},teacher=0"
    steps = (
        f"prune:sparsity={_SPARSITY},{common}",
        f"cluster:clusters={_CLUSTERS},{common}",
        f"quantize:method=qat,{common}",
    )
    bench = subject.bench(run)
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as folder:
        started, candidate = time.perf_counter(), Candidate(bench.source)
        for number, step in enumerate(parse_steps(steps)):
            own = replace(bench, checkpoint=Path(folder, f"{number}.npz"), augment=None)
            candidate = step.apply(candidate, own).candidate
        graph = deployed_graph(read(candidate.model))
        assert candidate.plan is not None
        data = emit(graph, subject.signature, Target("tflite", "int8").precision, candidate.plan)
        return data, time.perf_counter() - started


def _tfmot(subject: Subject, samples: int) -> tuple[bytes, float]:
    import tensorflow as tf
    import tf_keras

    from dltk.compress.pruning.schedule import load_tfmot as load
    from dltk.twin.build import build

    tfmot, (x, y) = load(), subject.training(samples)
    clustering, preserve = tfmot.clustering.keras, tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    tf_keras.utils.set_random_seed(0)
    started = time.perf_counter()
    model, steps = build(subject.graph), -(-len(x) // _BATCH) * _EPOCHS
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, _SPARSITY, 0, int(steps * 0.6), frequency=max(1, steps // 100))
    model = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    _fit(tf_keras, model, x, y, [tfmot.sparsity.keras.UpdatePruningStep()])
    model = tfmot.sparsity.keras.strip_pruning(model)
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as preserving

    model = preserving.cluster_weights(
        model, number_of_clusters=_CLUSTERS, cluster_centroids_init=preserve, preserve_sparsity=True
    )
    _fit(tf_keras, model, x, y, [])
    model = clustering.strip_clustering(model)
    scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
    annotated = tfmot.quantization.keras.quantize_annotate_model(model)
    model = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    _fit(tf_keras, model, x, y, [])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert()), time.perf_counter() - started


def _fit(tf_keras: Any, model: Any, x: NDArray[Any], y: NDArray[Any], callbacks: list[Any]) -> None:
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(_RATE), loss=loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=_BATCH, epochs=_EPOCHS, callbacks=callbacks, verbose=0)
