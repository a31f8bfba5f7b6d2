"""Each command in a hint installs what it says, where it is said: in a checkout, beside a wheel, in run.py."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dltk.base import install
from dltk.base.errors import EnvironmentFault
from dltk.remote import host

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [path for folder in ("toolkit", "recipes") for path in sorted((ROOT / folder).rglob("*.py"))]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def requirements(text):
    return [Requirement(line) for line in text.split("\n") if line]


BASE = requirements(SETUP["options"]["install_requires"])
EXTRAS = {name: requirements(text) for name, text in SETUP["options.extras_require"].items()}
ALL = [*BASE, *(each for extra in EXTRAS.values() for each in extra)]


class Installed:
    """Metadata of dltk as pip writes it: `origin` is the content of direct_url.json."""

    def __init__(self, origin):
        self._origin, real = origin, metadata.distribution(install.DISTRIBUTION)
        self.requires, self.metadata = real.requires, real.metadata

    def read_text(self, name):
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """dltk runs from a site-packages folder; of its extras' packages none is installed."""

    def installed(origin):
        monkeypatch.setattr(install, "_FILE", str(tmp_path / "lib" / "site-packages" / "dltk" / "base" / "install.py"))
        monkeypatch.setattr(install, "_metadata", lambda: origin and Installed(origin))
        monkeypatch.setattr(install, "_is_installed", lambda name: False)

    return installed


def words(command):
    """The requirements of a pip command that this Python's own pip takes."""
    found = shlex.split(command)
    place = found.index("install")
    assert found[place - 1] == "pip"
    return found[place + 1 :]


def test_the_distribution_has_a_name_of_its_own():
    """On the package index `dltk` is somebody else's."""
    assert SETUP["metadata"]["name"] == install.DISTRIBUTION == "dltk-edge"
    assert metadata.version("dltk-edge") == install.own_version() == SETUP["metadata"]["version"]
    assert {point.name for point in metadata.distribution("dltk-edge").entry_points} >= {"dltk", "cnn"}


def test_a_checkout_that_is_not_installed_knows_its_version(monkeypatch, elsewhere):
    """As after an update from the time when the distribution was called `dltk`."""
    monkeypatch.setattr(install, "_metadata", lambda: None)
    assert install.own_version() == SETUP["metadata"]["version"]
    elsewhere(None)
    with pytest.raises(EnvironmentFault, match="dltk-edge: must be installed"):
        install.own_version()


def test_a_checkout_is_installed_again_with_the_extra():
    assert words(install.pip_extra("sign")) == ["-e", f"{ROOT}[sign]"]
    assert words(install.pip_extra("")) == ["-e", str(ROOT)]
    assert f"pip install -e {shlex.quote(str(ROOT))}" in install.update_hint()


def test_a_copy_installed_from_a_checkout_is_installed_from_there_again(elsewhere, tmp_path):
    checkout = tmp_path / "my checkout"
    (checkout / "toolkit" / "dltk").mkdir(parents=True)
    (checkout / "setup.cfg").touch()
    elsewhere({"url": checkout.as_uri(), "dir_info": {}})
    assert words(install.pip_extra("onnx")) == [f"{checkout}[onnx]"]
    (checkout / "setup.cfg").unlink()  # the checkout is gone
    assert [Requirement(word).name for word in words(install.pip_extra("onnx"))] == ["onnxruntime"]


@pytest.mark.parametrize("origin", [{"url": "file:///wheels/dltk_edge-0.1.0-py3-none-any.whl", "archive_info": {}}, {}])
@pytest.mark.parametrize("extra", EXTRAS)
def test_beside_a_wheel_the_packages_are_named(elsewhere, origin, extra):
    """With setup.cfg's own bounds; no index is asked for dltk."""
    elsewhere(origin or {"url": "https://example.org/x.whl"})
    found = {each.name: each.specifier for each in map(Requirement, words(install.pip_extra(extra)))}
    assert found == {each.name: each.specifier for each in EXTRAS[extra]}


def test_what_is_there_is_not_named_again(elsewhere, monkeypatch):
    elsewhere({"url": "https://example.org/x.whl"})
    monkeypatch.setattr(install, "_is_installed", lambda name: name != "tokenizers")
    assert [Requirement(word).name for word in words(install.pip_extra("train"))] == ["tokenizers"]


def test_without_metadata_the_names_are_those_of_the_extras(elsewhere):
    """As in run.py, and on a machine behind ssh."""
    elsewhere(None)
    for extra, names in install._BARE.items():
        assert words(install.pip_extra(extra)) == list(names)
        assert set(names) <= {each.name for each in (EXTRAS[extra] if extra else BASE)}
    light = {"tflite", "onnx", "text", "sign", "control", "heic", "audio"}
    assert set(install._BARE) == {"", "tables", *light}
    assert all(len(EXTRAS[extra]) == 1 for extra in light)
    assert words(install.pip_package("Pillow")) == ["Pillow"]


def test_every_hint_names_what_is_there():
    known = {each.name.lower() for each in ALL}
    extras, packages = set(), set()
    for path in SOURCES:
        text = path.read_text()
        extras |= set(re.findall(r"""pip_extra\(["']([\w-]+)["']\)""", text))
        packages |= {name.lower() for name in re.findall(r"""pip_package\(["']([\w-]+)["']\)""", text)}
        if path.name not in ("install.py", "runner.py", "host.py"):  # these write for another Python
            assert "pip install" not in text.replace("pip installed", ""), f"{path}: hints come from dltk.base.install"
    assert {"train", "report", "text", "sign", "control", "micro", "demo"} <= extras <= set(EXTRAS)
    assert {"pillow", "scikit-learn"} <= packages <= known


def test_nothing_sends_anybody_to_another_project():
    for path in [*SOURCES, *PAGES]:
        text = path.read_text()
        assert "dltk[" not in text, path
        assert not re.search(r"""pip3? install\s(?:-\S+\s)*["']?dltk\b(?![-_])""", text), path


def test_the_pages_commands_name_what_is_there():
    found = [word for path in PAGES for word in re.findall(r"""pip install ['"]?\.\[([\w,]+)\]""", path.read_text())]
    assert (
        {"train", "tflite", "sign", "micro"}
        <= {extra for extras in found for extra in extras.split(",")}
        <= set(EXTRAS)
    )


def test_the_command_for_another_machine_has_the_bounds():
    (numpy,) = {str(each) for each in ALL if each.name == "numpy"}
    assert set(host._RUNTIMES.values()) <= {each.name for each in ALL}
    assert Requirement("numpy>=1.24,<3") == Requirement(numpy)


def test_pip_is_the_one_of_the_python_that_runs(monkeypatch, tmp_path):
    (tmp_path / "pip").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.pip_install("six") == f"{shlex.quote(sys.executable)} -m pip install six"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.setattr(install, "find_spec", lambda name: None)
    (tmp_path / "uv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.pip_install("six") == f"uv pip install --python {shlex.quote(sys.executable)} six"


def test_the_systems_own_python_gets_an_environment_first(monkeypatch, tmp_path):
    """Debian's pip refuses to install beside its packages (PEP 668)."""
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(install.sys, "base_prefix", sys.prefix)
    monkeypatch.setattr(install.sysconfig, "get_path", lambda name: str(tmp_path))
    line = install.pip_install("six")
    assert line.endswith("-m venv --system-site-packages .venv && . .venv/bin/activate && pip install six")


def test_a_hint_is_a_command_that_pip_takes():
    """pip reads the checkout's metadata and finds the extra; nothing is installed."""
    command = [*shlex.split(install.pip_extra("sign")), "--dry-run", "--no-deps", "--no-build-isolation", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "does not provide the extra" in done.stderr) == (0, False), done.stderr
