"""`make bench`: the figures of docs/measurements.md, measured again.

    python tests/benchmarks/bench.py --only phase-one
    python tests/benchmarks/bench.py --runs build/bench/runs --only int8-cnn

Takes hours on 2 cores. Runs that are finished in --runs are taken from there, so that nothing is trained twice. With
--limit the figures say nothing and go below build/bench, not into docs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from by_hand import by_hand
from compression import ROWS, compression
from damage import damage
from dltk.base.files import write_atomic
from light_start import light_start
from others import others
from phase_one import phase_one
from recipe.audio_keyword import spoken_digits
from recipe.autoencoder import fashion_anomalies, fashion_noise, tumours
from recipe.control import cart_pole, lunar_lander
from recipe.forecast import forecasts
from recipe.gan import made_fashion
from recipe.multimodal import images_with_texts
from recipe.recommender import recommender_beside_factorization
from recipe.segmentation import masks_of_shapes
from recipe.tabular import tabular_beside_gradient_boosting
from recipe.text import banking77
from safety import safety
from small_sets import small_sets
from support.figures import Figure, merge, render
from support.shell import ROOT, heading
from whole import accuracy, int8, memory

__all__ = ["benchmarks", "main"]

_RECIPES = {  # name of the recipe -> what measures it
    "audio-keyword": spoken_digits,
    "autoencoder-anomalies": fashion_anomalies,
    "autoencoder-noise": fashion_noise,
    "autoencoder-tumours": tumours,
    "control": cart_pole,
    "control-lander": lunar_lander,
    "forecast": forecasts,
    "gan": made_fashion,
    "multimodal": images_with_texts,
    "recommender": recommender_beside_factorization,
    "segmentation": masks_of_shapes,
    "tabular": tabular_beside_gradient_boosting,
    "text": banking77,
}


def benchmarks(options: argparse.Namespace) -> Mapping[str, Callable[[], list[Figure]]]:
    """Name -> what measures it, in the order in which they run: the quick ones first."""
    trained = {"runs": options.runs, "limit": options.limit}
    small = {"images": options.limit, "validation": max(100, options.limit // 5), "repeats": 1} if options.limit else {}
    return {
        "light-start": light_start,
        "phase-one": partial(phase_one, **small),
        "damage": partial(damage, limit=options.limit),
        "safety": partial(safety, limit=options.limit),
        "accuracy-cnn": partial(accuracy, "cnn", **trained),
        "int8-cnn": partial(int8, "cnn", **trained),
        "accuracy-mobilenet": partial(accuracy, "mobilenet", **trained),
        "int8-mobilenet": partial(int8, "mobilenet", **trained),
        "small-sets": partial(small_sets, **trained),
        "others-cnn": partial(others, "cnn", **trained),
        "by-hand-cnn-10k": partial(by_hand, "cnn-10k", **trained),
        "others-mobilenet": partial(others, "mobilenet", **trained),
        **{name: partial(compression, name, **trained) for name in ROWS},
        "memory": partial(memory, limit=options.limit),
        **{f"recipe-{name}": partial(measure, **trained) for name, measure in _RECIPES.items()},
    }


def main() -> None:
    """Measure, and write after every benchmark, so that an interrupted evening keeps what it found."""
    options = _options()
    chosen = benchmarks(options)
    folder = ROOT / "build" / "bench" if options.limit else ROOT / "docs"
    for name in options.only or chosen:
        heading(name)
        found = chosen[name]()
        write_atomic(folder / "measurements.md", render(merge(folder / "measurements.json", found)).encode())
        for figure in found:
            words = {True: "met", False: "MISSED", None: ""}[figure.met]
            print(f"  {figure.what}: {figure.value} ({figure.spread}) {figure.target} {words}".rstrip(), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    nothing = argparse.Namespace(runs=Path(), limit=0)
    names = tuple(benchmarks(nothing))
    parser.add_argument("--only", action="append", choices=names, help="may be given several times")
    parser.add_argument("--runs", type=Path, default=ROOT / "build" / "bench" / "runs", help="folder of the runs")
    parser.add_argument("--limit", type=int, default=0, help="training images, to try the script itself; 0: all")
    options = parser.parse_args()
    options.runs = options.runs.resolve()
    return options


if __name__ == "__main__":
    main()
