"""Packages whose functions have modules of the same name, imported on first use of the function."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["expose_lazily"]


def expose_lazily(package: str, names: Iterable[str]) -> None:
    """Make `package.NAME` the function NAME of the submodule NAME.

    The import system binds a submodule as an attribute of its package on first import, which would hide the function
    of the same name; here the function is bound instead.
    """
    wanted = frozenset(names)

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in wanted:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            import_module(f"{package}.{name}")
            return self.__dict__[name]

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *wanted})

        def __setattr__(self, name: str, value: Any) -> None:
            if name in wanted and isinstance(value, ModuleType):
                value = getattr(value, name)
            super().__setattr__(name, value)

    sys.modules[package].__class__ = Package
