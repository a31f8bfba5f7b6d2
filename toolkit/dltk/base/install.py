"""Commands that install missing packages, as they work from a checkout, from a wheel, or in run.pyz.

The distribution is called `dltk-edge`, the command and the import `dltk`: on the package index `dltk` is another
project. A checkout is installed again with the extra. For a wheel the command names the packages of the extra with the
bounds from the wheel's metadata, since dltk may not be available from an index.
"""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import sys
import sysconfig
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import parse_json, read_capped

__all__ = ["DISTRIBUTION", "own_version", "pip_extra", "pip_install", "pip_package", "update_hint"]

DISTRIBUTION = "dltk-edge"

# What run.pyz and a machine behind ssh need names for: dltk's sources are there without its metadata.
_BARE = {
    "": ("numpy", "Pillow"),
    "audio": ("soundfile",),
    "control": ("gymnasium",),
    "heic": ("pillow-heif",),
    "onnx": ("onnxruntime",),
    "sign": ("cryptography",),
    "tables": ("pyarrow", "python-calamine"),
    "text": ("tokenizers",),
    "tflite": ("ai-edge-litert",),
}
_LARGEST_SETUP = 1_000_000
_FILE = globals().get("__file__")  # the modules that run.pyz carries have none


def own_version() -> str:
    """The version of the running dltk.

    Raises:
        EnvironmentFault: if it is neither installed nor a checkout.
    """
    found, folder = _metadata(), _checkout()
    if found is not None:
        return found.version
    if folder is None:
        raise EnvironmentFault(DISTRIBUTION, "must be installed to know its version", hint="Install its wheel.")
    setup = configparser.ConfigParser()  # a checkout that is on PYTHONPATH, or was installed under another name
    setup.read_string(read_capped(folder / "setup.cfg", _LARGEST_SETUP).decode())
    return setup["metadata"]["version"]


def pip_extra(extra: str) -> str:
    """The command that installs the extra `extra` of dltk for this Python; "": the required packages."""
    folder = _checkout()
    if folder is None:
        return pip_install(*_missing(_requirements(extra)))
    return _pip([f"{folder}[{extra}]" if extra else str(folder)], editable=_runs_from(folder))


def pip_package(name: str) -> str:
    """The command that installs the package `name` for this Python, in a version that dltk supports."""
    asked = [found for extra in ("", *_extras()) for found in _requirements(extra) if _same(found, name)]
    return pip_install(asked[0] if asked else name)


def pip_install(*requirements: str, upgrade: bool = False) -> str:
    """The command that installs `requirements`, as pip writes them, for this Python."""
    return _pip([*(["-U"] if upgrade else []), *requirements])


def update_hint() -> str:
    """A sentence: how to update dltk."""
    folder = _checkout()
    if folder is not None:
        command = _pip([str(folder)], editable=_runs_from(folder))
        return f"Update dltk: bring the checkout {folder} up to date, and run `{command}`."
    if _metadata() is None:
        return "Update dltk, or use the run.pyz beside it."
    return f"Update dltk: install a newer wheel of {DISTRIBUTION}, which `make wheel` builds in a checkout."


def _pip(words: list[str], *, editable: bool = False) -> str:
    """pip of this Python: the first pip on the PATH may belong to another one, and an environment of uv has none."""
    python = Path(sys.executable or "python3")
    line = shlex.join([*(["-e"] if editable else []), *words])
    if find_spec("pip") is None and shutil.which("uv") is not None:
        return f"uv pip install --python {shlex.quote(str(python))} {line}"
    if sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        # The system's own Python (PEP 668): pip refuses to install there.
        made = f"{shlex.quote(str(python))} -m venv --system-site-packages .venv"
        return f"{made} && . .venv/bin/activate && pip install {line}"
    found = shutil.which("pip")
    is_mine = found is not None and Path(found).parent == python.parent
    return f"{'pip' if is_mine else f'{shlex.quote(str(python))} -m pip'} install {line}"


def _checkout() -> Path | None:
    """The checkout that dltk runs from, or was installed from, if it still exists."""
    if _FILE is not None and len(Path(_FILE).resolve().parents) > 3:
        folder = Path(_FILE).resolve().parents[3]
        if _runs_from(folder) and _is_checkout(folder):
            return folder
    found = _metadata()
    try:
        text = (found and found.read_text("direct_url.json")) or "{}"
        origin = parse_json(text.encode(), "direct_url.json")
        url = urlsplit(str(origin["url"]))
    except (InputError, KeyError, TypeError, ValueError):
        return None
    folder = Path(unquote(url.path))
    return folder if url.scheme == "file" and "dir_info" in origin and _is_checkout(folder) else None


def _is_checkout(folder: Path) -> bool:
    return (folder / "toolkit" / "dltk").is_dir() and (folder / "setup.cfg").is_file()


def _runs_from(folder: Path) -> bool:
    return _FILE is not None and folder / "toolkit" in Path(_FILE).resolve().parents


def _metadata() -> metadata.Distribution | None:
    try:
        return metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None


def _extras() -> tuple[str, ...]:
    found = _metadata()
    return tuple(_BARE) if found is None else tuple(found.metadata.get_all("Provides-Extra") or ())


def _requirements(extra: str) -> list[str]:
    """The requirements in dltk's metadata for `extra`, such as "onnxruntime>=1.20,<1.33"."""
    found = _metadata()
    if found is None or found.requires is None:
        return list(_BARE.get(extra) or [f"{DISTRIBUTION}[{extra}]"])
    kept = []
    for line in found.requires:
        requirement, _, marker = line.partition(";")
        named = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", marker)
        if (named[1] if named else "") == extra:
            kept.append(requirement.strip())
    return kept


def _missing(requirements: list[str]) -> list[str]:
    """The requirements whose package is not installed; all of them if each is installed."""
    return [each for each in requirements if not _is_installed(_name(each))] or requirements


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _same(requirement: str, name: str) -> bool:
    return re.sub(r"[-_.]+", "-", _name(requirement)).lower() == re.sub(r"[-_.]+", "-", name).lower()
