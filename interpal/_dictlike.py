"""A dict's methods for what holds secrets and must be no mapping to `isinstance`.

Error reporters and pretty printers take every `dict`, `Mapping`, `list` and tuple apart that they
find among the variables of a frame. Of anything else they show the repr. Type checkers still see
the mapping, so that code which takes one is right.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)
V = TypeVar("V")

if TYPE_CHECKING:

    class ReadMethods(Mapping[K, V_co]):
        """What a mapping can do."""

        __slots__ = ()

    class ChangeMethods(MutableMapping[K, V]):
        """What a mapping can do that can be changed."""

        __slots__ = ()

else:

    class ReadMethods:
        """`get`, `keys`, `items`, `values`, `in` and `==`, over `[]`, `iter` and `len`."""

        __slots__ = ()
        __hash__ = None

        __class_getitem__ = classmethod(lambda cls, _: cls)
        __contains__ = Mapping.__contains__
        get = Mapping.get
        keys = Mapping.keys
        items = Mapping.items
        values = Mapping.values

        def __eq__(self, other):
            if not is_mapping(other):
                return NotImplemented
            return dict(self.items()) == dict(other.items())

    class ChangeMethods(ReadMethods):
        """The methods that change a mapping too, over `[]=` and `del`."""

        __slots__ = ()

        popitem = MutableMapping.popitem
        clear = MutableMapping.clear
        update = MutableMapping.update
        setdefault = MutableMapping.setdefault

        def pop(self, key, *default):
            """Remove *key* and return its value; *default* as for a dict."""
            try:
                value = self[key]
            except KeyError:
                if default:
                    return default[0]
                raise
            del self[key]
            return value


def is_mapping(value: Any) -> bool:
    """Whether it has a mapping's methods, a mapping to `isinstance` or not."""
    return isinstance(value, (Mapping, ReadMethods))
