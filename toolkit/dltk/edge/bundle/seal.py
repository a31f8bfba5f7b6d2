"""Ed25519 signatures of a manifest: who holds the private key vouches for every file that the manifest lists.

The manifest has a hash of each file, so a signature of its bytes covers them all. The signature is the bare 64 bytes
that `openssl pkeyutl -sign -rawin` writes, too. Keys are PEM files as `openssl genpkey -algorithm ed25519` writes them.
`cryptography` is imported only when a key is used.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Union

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import open_regular
from dltk.base.install import pip_extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Key", "check_seal", "private_key", "sign"]

Key = Union[str, Path, bytes]  # path of a PEM file, or its bytes

_LARGEST_KEY = 10_000  # bytes; an Ed25519 key in PEM has about 120
_MAKE = "Make one: openssl genpkey -algorithm ed25519 -out private.pem"
_PUBLIC = "Take the public half: openssl pkey -in private.pem -pubout -out public.pem"


def private_key(key: Key) -> Ed25519PrivateKey:
    """The private key to sign with.

    Raises:
        InputError: if it is missing, encrypted, no PEM, or of another kind.
        EnvironmentFault: if `cryptography` is not installed.
    """
    serialization, ed25519 = _library()
    where, data = _name(key), _read(key)
    try:
        found = serialization.load_pem_private_key(data, password=None)
    except TypeError as fault:  # what the library says of a key that has a password
        hint = "Decrypt it first: openssl pkey -in KEY -out private.pem"
        raise InputError(where, "must be a private key without a password", "an encrypted one", hint) from fault
    except (ValueError, _unsupported()) as fault:
        raise InputError(where, "must be an Ed25519 private key in PEM form", hint=_MAKE) from fault
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise InputError(where, "must be an Ed25519 private key", type(found).__name__, _MAKE)
    return found


def sign(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of `data`, 64 bytes: of equal data and key always the same."""
    return bytes(key.sign(data))


def check_seal(data: bytes, seal: bytes, key: Key, where: object) -> None:
    """Raise InputError at `where` unless `seal` is the signature of `data` by the owner of the public `key`.

    Raises:
        InputError: also if the key is missing, no PEM, or of another kind.
        EnvironmentFault: if `cryptography` is not installed.
    """
    public = _public_key(key)
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(seal, data)
    except InvalidSignature as fault:
        rule = f"must be a signature of this manifest by {_name(key)}"
        hint = "Another key signed it, or the bundle was changed: get both again from their owner."
        raise InputError(where, rule, "one that is not", hint) from fault


def _public_key(key: Key) -> Any:
    serialization, ed25519 = _library()
    where, data = _name(key), _read(key)
    if b"PRIVATE KEY" in data:
        raise InputError(where, "must be a public key, which is all that a device needs", "a private one", _PUBLIC)
    try:
        found = serialization.load_pem_public_key(data)
    except (ValueError, _unsupported()) as fault:
        raise InputError(where, "must be an Ed25519 public key in PEM form", hint=_PUBLIC) from fault
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise InputError(where, "must be an Ed25519 public key", type(found).__name__, _PUBLIC)
    return found


def _name(key: Key) -> str:
    """What to call the key: never what is in it."""
    return "the key" if isinstance(key, bytes) else str(key)


def _read(key: Key) -> bytes:
    """The bytes of a PEM file with one entry: if there are several, tools differ in which one they use."""
    if isinstance(key, bytes):
        data = key
    else:
        with open_regular(Path(key), follow_links=True) as stream:
            data = stream.read(_LARGEST_KEY + 1)
    if len(data) > _LARGEST_KEY:
        raise InputError(_name(key), f"a key has at most {_LARGEST_KEY} bytes")
    if (count := data.count(b"-----BEGIN")) > 1:
        raise InputError(_name(key), "must hold exactly one key", count, "Give a file with that key alone.")
    return data


def _library() -> tuple[ModuleType, ModuleType]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as fault:
        hint = f"Run `{pip_extra('sign')}`."
        raise EnvironmentFault("signatures", "need the package cryptography", hint=hint) from fault
    return serialization, ed25519


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm
