"""What the autoencoder recipe tells from normal samples, and how much noise it takes away."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import mean
from typing import Any

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, spread
from support.shell import console_script, once, shown

__all__ = ["fashion_anomalies", "fashion_noise", "tumours"]

_CLASSES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_AUC, _GAIN = 0.88, 5.0
_NOISE = 0.2
_SEEDS = (0, 1, 2)
# Fewer epochs than the recipe's 40: three seeds of ten classes are many trainings.
_EPOCHS, _NOISE_EPOCHS = 12, 8


def fashion_anomalies(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Each class of Fashion-MNIST learnt alone, the other nine to be told from it: the mean of ten areas under ROC."""
    means, command = [], ""
    found: dict[str, list[float]] = {name: [] for name in _CLASSES}
    for seed in _SEEDS:
        for name in _CLASSES:
            run = runs / f"anomaly-{name.replace(' ', '-')}-{seed}"
            command = _trained(
                run, "fashion-mnist", limit, f"data.normal={name}", f"seed={seed}", f"fit.epochs={_EPOCHS}"
            )
            found[name].append(_metrics(run)["auc"])
        means.append(mean(values[-1] for values in found.values()))
    classes = {name: mean(values) for name, values in found.items()}
    worst = min(classes, key=classes.__getitem__)
    middle, words = spread(means, "{:.4f}")
    words += f", one seed each; classes from {classes[worst]:.3f} ({worst}) to {max(classes.values()):.3f}"
    what = "mean AUC of ten classes of Fashion-MNIST, each against the others"
    return [_figure("anomalies-fashion", command, what, f"{middle:.4f}", words, _AUC, min(means))]


def fashion_noise(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Fashion-MNIST with Gaussian noise: how much clearer test images are after the model."""
    gains, command = [], ""
    for seed in _SEEDS:
        run = runs / f"denoise-fashion-{seed}"
        own = ("use=denoise", f"augment.noise={_NOISE}", "model.code=128", f"fit.epochs={_NOISE_EPOCHS}")
        command = _trained(run, "fashion-mnist", limit, *own, f"seed={seed}")
        gains.append(_metrics(run)["psnr_gain"])
    found = _metrics(run)
    what = f"dB of PSNR gained, noise with a standard deviation of {_NOISE:g} of the pixel range"
    middle, words = spread(gains)
    last = "last seed from {psnr_noisy:.2f} to {psnr_restored:.2f} dB, {samples:,} images".format(**found)
    words += f", one seed each; {last}"
    return [_figure("denoise-fashion", command, what, f"{middle:.2f}", words, _GAIN, min(gains))]


def tumours(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Rows of numbers: benign tumours of the Wisconsin set are learnt, malignant ones to be told from them."""
    path = runs / "tumours.csv"
    _write_tumours(path)
    areas, command = [], ""
    for seed in _SEEDS:
        run = runs / f"anomaly-tumours-{seed}"
        command = _trained(run, str(path), limit, "data.normal=benign", "model.code=6", f"seed={seed}")
        areas.append(_metrics(run)["auc"])
    middle, words = spread(areas, "{:.4f}")
    found = _metrics(run)
    last = "last seed {detected:.3f} of {anomalies} detected, {false_alarms:.3f} false alarms".format(**found)
    words += f", one seed each; {last}"
    what = "AUC, malignant tumours against benign ones (scikit-learn's breast cancer set)"
    return [_figure("anomalies-tumours", command, what, f"{middle:.4f}", words, None, min(areas))]


def _trained(run: Path, data: str, limit: int, *pairs: str) -> str:
    """The command that makes `run`, which is there afterwards."""
    pairs = (*pairs, f"data.limit={limit}") if limit else pairs
    settings = [word for pair in pairs for word in ("--set", pair)]
    command = [console_script(), "finetune", "autoencoder", "--data", data, "--run", run, *settings]
    once(run, command)
    return shown(command)


def _metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def _write_tumours(path: Path) -> None:
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*found.feature_names, "label"])
        rows = zip(found.data.tolist(), found.target, strict=True)
        writer.writerows([*row, found.target_names[number]] for row, number in rows)


def _figure(
    group: str, command: str, what: str, value: str, words: str, target: float | None, reached: float
) -> Figure:
    said, met = ("", None) if target is None else (f"at least {target:g}", at_least(reached, target))
    return Figure(group, what, command, value, words, said, met, machine())
