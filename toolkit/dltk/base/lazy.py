"""What is imported on first use: functions of packages, and what run.pyz of a bundle leaves out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, cast

from dltk.base.errors import EnvironmentFault

__all__ = ["expose_lazily", "installed_only", "lazy_names"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


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


def lazy_names(places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that offers names of its modules without importing these: name -> module."""

    def __getattr__(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return __getattr__


def installed_only(function: _Function) -> _Function:
    """`function`, marked as one that only an installed dltk calls: run.pyz leaves out what it alone imports.

    Such a function imports what it needs in its body. Where that is missing it raises EnvironmentFault.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as fault:
            if not str(fault.name).startswith("dltk."):
                raise
            hint = "Install dltk, and use `dltk predict` or `dltk validate`."
            raise EnvironmentFault("run.pyz", f"does not carry {fault.name}", hint=hint) from fault

    return cast(_Function, call)
