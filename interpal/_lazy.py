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

        value = getattr(_module(home[name]), name)
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
        return getattr(_module(self._name), name)


class LateMember:
    """Stands in a class for a member of another, whose module is loaded when it is first used."""

    __slots__ = ("_class", "_module", "_name")

    def __init__(self, module: str, class_name: str, name: str) -> None:
        self._module = module
        self._class = class_name
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        member = vars(getattr(_module(self._module), self._class))[self._name]
        for one in owner.__mro__:
            if vars(one).get(self._name) is self:
                setattr(one, self._name, member)
        return member.__get__(instance, owner)


def late_members(module: str, class_name: str, names: str) -> dict[str, LateMember]:
    """Stand-ins for members of a class, whose *names* are separated by blanks."""
    return {name: LateMember(module, class_name, name) for name in names.split()}


def _module(name: str) -> Any:
    """`importlib.import_module`, without `importlib`."""
    return __import__(name, fromlist=("__name__",))
