"""A signature is checked before anything of the bundle is believed; without a key nothing changes."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

import small
from dltk.base.errors import EnvironmentFault, InputError
from dltk.edge import bench, load, replay
from dltk.edge.bundle.archive import pack
from dltk.edge.bundle.integrity import read_bundle, read_manifest
from dltk.edge.bundle.manifest import parse
from dltk.edge.bundle.seal import private_key, sign

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402 - only where it is installed

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def pem(key, password=None):
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, PKCS8, locked)


def public(key):
    return key.public_key().public_bytes(PEM, PUBLIC)


KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def signed(bundle, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "signed")
    (folder / "manifest.sig").write_bytes(sign((folder / "manifest.json").read_bytes(), KEY))
    return folder


@pytest.fixture(params=["folder", "archive"])
def place(request, signed, tmp_path):
    """The signed bundle, in both forms."""
    if request.param == "folder":
        return signed
    (tmp_path / "signed.zip").write_bytes(pack(small.files(signed)))
    return tmp_path / "signed.zip"


def test_its_own_key_opens_it(place, tmp_path):
    (tmp_path / "public.pem").write_bytes(public(KEY))
    for key in (public(KEY), tmp_path / "public.pem", str(tmp_path / "public.pem")):
        assert load(place, verify=key).labels
    assert replay(place, verify=public(KEY))["passed"]
    assert bench(place, artifact="model.float32.tflite", verify=public(KEY))["artifacts"]


def test_nobody_has_to_ask(place, bundle):
    """A signature that nobody checks says nothing, and so nothing is said of it."""
    assert replay(place) == replay(bundle)


def test_another_key_does_not(place):
    for use in (load, replay, bench, read_manifest):
        with pytest.raises(InputError, match=r"manifest\.sig: must be a signature of this manifest") as caught:
            use(place, verify=public(OTHER))
        assert caught.value.exit_code == 3


def test_a_bundle_without_a_signature_is_refused(bundle):
    with pytest.raises(InputError, match=r"must be signed.*dltk export RUN --sign"):
        load(bundle, verify=public(KEY))


@pytest.mark.parametrize(
    "damage", [lambda seal: seal[:-1], lambda seal: seal + b"x", lambda seal: b"", lambda _: bytes(64)]
)
def test_a_damaged_signature_is_refused(signed, damage):
    path = signed / "manifest.sig"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"manifest\.sig"):
        load(signed, verify=public(KEY))


def test_a_signature_of_another_size_is_refused_without_a_key_too(signed):
    """Nothing may ride along in a bundle that nobody looks at."""
    (signed / "manifest.sig").write_bytes(bytes(1000))
    with pytest.raises(InputError, match=r"manifest\.sig: must be at most 64 bytes"):
        read_bundle(signed)


def test_an_attacker_who_makes_all_hashes_right_is_seen(signed):
    """What hashes alone cannot see."""
    labels, manifest = signed / "labels.txt", signed / "manifest.json"
    labels.write_bytes(labels.read_bytes().replace(b"cat", b"dog"))
    from dataclasses import replace

    from dltk.edge.bundle.manifest import file_entry

    found = parse(manifest.read_bytes())
    files = {**found.files, "labels.txt": file_entry(labels.read_bytes())}
    manifest.write_bytes(replace(found, files=files).to_bytes())
    assert read_bundle(signed).files["labels.txt"] == labels.read_bytes()
    with pytest.raises(InputError, match=r"manifest\.sig"):
        read_bundle(signed, verify=public(KEY))


def test_it_is_checked_before_the_manifest_is_read(signed):
    (signed / "manifest.json").write_bytes(b"[" * 100_000)
    with pytest.raises(InputError, match=r"manifest\.sig"):
        load(signed, verify=public(KEY))


RSA, CURVE = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (pem(KEY), "must be a public key"),
        (public(RSA), "must be an Ed25519 public key"),
        (public(CURVE), "must be an Ed25519 public key"),
        (b"", "PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "PEM"),
        ("no/such.pem", "no/such.pem: the file must exist"),
    ],
)
def test_a_key_that_cannot_verify_is_refused(signed, key, said):
    with pytest.raises(InputError, match=said):
        load(signed, verify=key)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (public(KEY), "must be an Ed25519 private key"),
        (pem(RSA), "must be an Ed25519 private key"),
        (pem(CURVE), "must be an Ed25519 private key"),
        (pem(KEY, b"secret"), "without a password"),
        (b"no key", "must be an Ed25519 private key"),
        ("no/such.pem", "no/such.pem: the file must exist"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(key, said):
    with pytest.raises(InputError, match=said) as caught:
        private_key(key)
    assert "BEGIN" not in str(caught.value), "what is in a key is never shown"


def test_without_the_extra_it_is_named(signed, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    for use in (lambda: private_key(pem(KEY)), lambda: load(signed, verify=public(KEY))):
        with pytest.raises(EnvironmentFault, match=r"pip install .*sign"):
            use()
    assert load(signed).labels


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_makes_the_keys_and_agrees(bundle, tmp_path):
    private, half, seal = (tmp_path / name for name in ("private.pem", "public.pem", "manifest.sig"))
    manifest = bundle / "manifest.json"
    _openssl("genpkey", "-algorithm", "ed25519", "-out", private)
    _openssl("pkey", "-in", private, "-pubout", "-out", half)
    seal.write_bytes(sign(manifest.read_bytes(), private_key(private)))
    _openssl("pkeyutl", "-verify", "-pubin", "-inkey", half, "-rawin", "-in", manifest, "-sigfile", seal)
    _openssl("pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", manifest, "-out", tmp_path / "theirs")
    assert (tmp_path / "theirs").read_bytes() == seal.read_bytes()


def _openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
