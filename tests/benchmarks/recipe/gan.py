"""How real made images of Fashion-MNIST look to a classifier that has seen only real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, spread
from support.shell import console_script, once, run, shown

__all__ = ["frechet", "made_fashion"]

_SEEDS = (0, 1, 2)
_SAMPLES = 5_000
_CONFIDENT = 0.9
_SHARE, _LEAST = 0.85, 0.03  # of the real images' share of confident ones; of samples in every class
_IMAGES = ("data.size=32", "data.resize=keep")
_OWN = (*_IMAGES, "data.channels=1", "fit.epochs=15")


def made_fashion(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Confidence, variety and Frechet distance of samples; the same of real test images stands beside each."""
    judge = _Judge(_trained(runs, "judge-fashion", "cnn", limit, *_IMAGES, "fit.epochs=12"))
    reals = judge.reals()
    sure_reals, features = judge.labels(reals)[0], judge.features(reals)
    shares, rarest, distances, command = [], [], [], ""
    for seed in _SEEDS:
        command, images = _made(runs, limit, seed)
        sure, found = judge.labels(images)
        shares.append(sure / sure_reals)
        rarest.append(float(np.bincount(found, minlength=10).min() / len(found)))
        distances.append(frechet(judge.features(images), features))
    baseline = frechet(features[::2], features[1::2])

    def figure(what: str, values: list[float], form: str, words: str, target: float | None) -> Figure:
        middle, range_ = spread(values, form)
        said, met = ("", None) if target is None else (f"at least {target:g}", at_least(min(values), target))
        words = f"{range_}, one seed each; {words}"
        return Figure("made-fashion", what, command, form.format(middle), words, said, met, machine())

    what = f"share of samples labelled with confidence over {_CONFIDENT:g}, relative to real images"
    least = "share of samples in the rarest class"
    apart = "Frechet distance of the classifier's features between samples and test images"
    count = f"{_SAMPLES:,} samples"
    return [
        figure(what, shares, "{:.3f}", f"{count}, {sure_reals:.3f} of real images", _SHARE),
        figure(least, rarest, "{:.3f}", f"{count}, 10 classes", _LEAST),
        figure(apart, distances, "{:.2f}", f"{baseline:.2f} between halves of the test images", None),
    ]


def frechet(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The squared Frechet distance of two sets of features (n, k), each taken for normal (Heusel et al. 2017).

    The trace of the root of a product of covariances is the sum of the roots of its eigenvalues.
    """
    means, spreads = zip(*((part.mean(axis=0), np.cov(part, rowvar=False)) for part in (one, other)), strict=True)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(spreads[0] @ spreads[1]).real, 0.0))
    return float(np.square(means[0] - means[1]).sum() + np.trace(spreads[0] + spreads[1]) - 2 * roots.sum())


def _made(runs: Path, limit: int, seed: int) -> tuple[str, NDArray[np.uint8]]:
    """The command that trained the generator, and what its float32 file makes of the first seed numbers."""
    from dltk.edge import load

    name, own = f"gan-fashion-{seed}", (*_OWN, f"seed={seed}")
    source, bundle = _trained(runs, name, "gan", limit, *own), runs / "gan-bundle"
    run([console_script(), "export", source, "--precision", "float32", "--out", bundle])
    images = np.stack(load(bundle).predict_many(range(_SAMPLES)))
    return _command(runs, name, "gan", limit, *own)[1], images


def _command(runs: Path, name: str, recipe: str, limit: int, *pairs: str) -> tuple[list[Any], str]:
    pairs = (*pairs, f"data.limit={limit}") if limit else pairs
    settings = [word for pair in pairs for word in ("--set", pair)]
    words = [console_script(), "finetune", recipe, "--data", "fashion-mnist", "--run", runs / name, *settings]
    return words, shown(words)


def _trained(runs: Path, name: str, recipe: str, limit: int, *pairs: str) -> Path:
    return once(runs / name, _command(runs, name, recipe, limit, *pairs)[0])


class _Judge:
    """A classifier of real images, and the features that it decides by."""

    def __init__(self, path: Path) -> None:
        import keras

        from dltk.run import Run

        self._run = Run.open(path)
        model = keras.saving.load_model(self._run.model_path, compile=False)
        self._model = keras.Model(model.inputs, [model.outputs[0], model.get_layer("pool").output])
        self._signature = self._run.signature

    def reals(self) -> NDArray[np.uint8]:
        """Test images that the run keeps, in one channel: they are grey."""
        return np.asarray(self._run.evaluation()[0][..., :1])

    def labels(self, images: NDArray[np.uint8]) -> tuple[float, NDArray[np.int64]]:
        """The share of images that it is confident of, and the class of each (n,)."""
        from dltk.edge.families.shared.labels import probabilities

        scores = probabilities(self._outputs(images, 0), self._signature)
        return float((scores.max(axis=-1) > _CONFIDENT).mean()), scores.argmax(axis=-1)

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, features) behind the last pooling."""
        return np.asarray(self._outputs(images, 1), np.float64)

    def _outputs(self, images: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
        from dltk.edge.families import family

        colours = np.repeat(images, 3, axis=-1)
        (tensor,) = family(self._signature.family).tensors(colours, self._signature).values()
        return np.asarray(self._model.predict(tensor, batch_size=256, verbose=0)[number])
