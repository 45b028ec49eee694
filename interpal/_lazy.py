"""Modules and names that are imported when they are first used: a start costs what it uses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def public_names(
    package: str, homes: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` (PEP 562) of *package*.

    *homes* gives, for the full name of each module, the names that it is the home of, separated
    by blanks.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        value = getattr(import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted(home)
    return names, find, lambda: list(names)


class LateModule:
    """Stands for a module until a name of it is asked for.

    At the top of a module whose other half needs it, in place of an import in each function.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        from importlib import import_module

        return getattr(import_module(self._name), name)
