"""`make demo`: dltk's main job from end to end, on real data and real weights.

CIFAR-10 and a MobileNetV2 with ImageNet weights -> fine-tune -> int8 -> a bundle of four files -> validate; then a
second environment without TensorFlow loads the bundle and classifies images. 5,000 of the 50,000 training images are
used, so that it ends within 10 minutes on 2 cores, installation and the one download aside; the accuracy is that of
5,000 images. `make bench` measures the whole data set.

Everything is written below build/demo, which is emptied first; weights and data stay in dltk's cache.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from support import light_env
from support.shell import ROOT, Failure, console_script, heading, run, run_json
from support.tables import artifact_rows, as_text

_A_CLASS = 20  # test images written as files, for the light environment
_SCORES = 1e-4  # two versions of one runtime may add in another order; equal versions give equal bits
_WORST = 0.5  # least accuracy on them: far under any good run, far over the 0.1 of guessing


def main() -> None:
    """Parse, run the stations in order, print the table."""
    options = _options()
    started = time.perf_counter()
    folder = ROOT / "build" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    exported, seconds = _workstation(folder, options)
    pictures = _write_pictures(folder / "photos")
    _device(folder, pictures)
    _conclude(exported, seconds, time.perf_counter() - started, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=5000, help="training images, of CIFAR-10's 50,000")
    parser.add_argument("--size", type=int, default=96, help="side of the model's input, in pixels")
    parser.add_argument("--head-epochs", type=int, default=10, help="epochs of the head alone")
    parser.add_argument("--tune-epochs", type=int, default=5, help="epochs of head and top of the backbone")
    return parser.parse_args()


def _workstation(folder: Path, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    """Fine-tune, compress, export, validate; returns what export printed, and the seconds of each command."""
    dltk = console_script()
    settings = {
        "data.size": options.size,
        "data.limit": options.limit,
        "data.validation": 0.02,  # of 50,000: 1,000 images
        "head.epochs": options.head_epochs,
        "head.batch_size": 64,
        "head.learning_rate": 1e-3,
        "tune.epochs": options.tune_epochs,
        # From the sixth block on, at a higher rate than the careful default: 5,000 images bear it.
        "tune.learning_rate": 5e-4,
        "model.unfreeze_after": "block_5_add",
    }
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    float32, int8, bundle = folder / "runs" / "cifar10", folder / "runs" / "cifar10-int8", folder / "exported"
    seconds = {}
    heading(f"Fine-tune MobileNetV2 (ImageNet) on {options.limit:,} images of CIFAR-10 at {options.size} pixels")
    finetune: list[str | Path] = [
        dltk,
        "finetune",
        "image-classification",
        "--data",
        "cifar10",
        "--run",
        float32,
        *pairs,
    ]
    _, seconds["finetune"] = run(finetune)
    heading("Compress: int8 ranges from calibration images")
    _, seconds["compress"] = run([dltk, "compress", float32, "--step", "quantize:precision=int8", "--run", int8])
    heading("Export: TFLite and ONNX, float32 and int8, each judged on test images in a process without TensorFlow")
    wanted = ["--format", "tflite", "--format", "onnx", "--precision", "float32", "--precision", "int8"]
    exported, seconds["export"] = run_json([dltk, "export", int8, *wanted, "--out", bundle, "--json"])
    heading("Validate: every hash, and the golden samples through every artifact")
    _, seconds["validate"] = run([dltk, "validate", bundle])
    return exported, seconds


def _write_pictures(folder: Path) -> list[Path]:
    """Some of CIFAR-10's test images as PNG files, a folder a class; returns one of each class."""
    import numpy as np
    from PIL import Image

    from dltk.data.named.load import load_named

    found = load_named("cifar10")
    first = []
    for number, label in enumerate(found.labels):
        of_class = np.flatnonzero(found.targets[found.train_count :] == number) + (found.train_count or 0)
        paths = [folder / label / f"{row}.png" for row in of_class[:_A_CLASS]]
        paths[0].parent.mkdir(parents=True)
        for row, path in zip(of_class, paths, strict=False):
            Image.fromarray(np.asarray(found.images[row])).save(path)
        first.append(paths[0])
    return first


def _device(folder: Path, pictures: list[Path]) -> None:
    """The bundle in an environment without TensorFlow: same answers, and still right."""
    heading("A second environment, as a device has it: the wheel of `make wheel`, one runtime, and nothing else")
    python = light_env.build(folder / "light")
    light_env.prove_light(python)
    there, bundle = console_script(python), folder / "exported"
    heading("There: classify images, one of each class, and compare with the predictions made here")
    predict: list[str | Path] = ["predict", bundle, *pictures, "--runtime", "tflite", "--top", "3", "--json"]
    answers, _ = run_json([there, *predict], where="light ")
    here, _ = run_json([console_script(), *predict])
    _compare(answers["answers"], here["answers"])
    heading("There: validate, and score every artifact that has a runtime on 200 images")
    report, _ = run_json([there, "validate", bundle, "--data", folder / "photos", "--json"], where="light ")
    for artifact in report["artifacts"]:
        if metric := artifact["metric"]:
            print(f"  {artifact['file']:<24} {metric['name']} {metric['value']:.3f} on {metric['samples']} images")
            if metric["value"] < _WORST:
                raise Failure(f"{artifact['file']} is right on only {metric['value']:.3f} of the images")


def _compare(there: list[dict[str, Any]], here: list[dict[str, Any]]) -> None:
    """Print each answer; stop unless both environments give the same."""
    furthest = 0.0
    for ours, theirs in zip(here, there, strict=True):
        if [each["label"] for each in ours["answer"]] != [each["label"] for each in theirs["answer"]]:
            raise Failure(f"{ours['input']}: {ours['answer']} here, {theirs['answer']} there")
        scores = ([each["score"] for each in side["answer"]] for side in (ours, theirs))
        furthest = max(furthest, *(abs(one - other) for one, other in zip(*scores, strict=True)))
        best, truth = theirs["answer"][0], Path(theirs["input"]).parent.name
        print(f"  {truth:<12} -> {best['label']:<12} {best['score']:.2f}")
    if furthest > _SCORES:
        raise Failure(f"the two environments give scores that differ by {furthest:.2g}")
    print("  the same labels as here, scores " + (f"within {furthest:.1g}" if furthest else "bit-identical"))


def _conclude(exported: dict[str, Any], seconds: dict[str, float], total: float, options: argparse.Namespace) -> None:
    from dltk.edge.runtime.machine import machine

    here, metric = machine(), exported["artifacts"][0]["metric"]
    heading("float32 against each artifact")
    print(as_text(artifact_rows(exported)))
    print(
        f"\nAccuracy on {metric['samples']:,} test images, trained on {options.limit:,}; the float32 reference has "
        f"{metric['reference']:.4f}.\nDrop: reference minus artifact, on the same images, with a paired bootstrap "
        f"interval.\np50: one image, one thread, without preprocessing, on {here['cpu']}, {here['threads']} thread(s)."
    )
    print("Seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in seconds.items()) + f"; in all {total:.0f}")


if __name__ == "__main__":
    main()
