"""`NamedTuple`, for the modules that a start loads.

`typing.NamedTuple` compiles a constructor, and the annotation of each field, when a class is
made: a quarter of a millisecond for each class, a tenth of what a whole resume may cost. This
one compiles nothing. To type checkers it is the same one.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from inspect import Signature
    from typing import Any
    from typing import NamedTuple as NamedTuple

    from typing_extensions import Self
else:

    class _Signature:
        """The signature of a class, for `inspect` and `help`: it costs nothing until asked for."""

        def __get__(self, instance: object, owner: type[_Fields]) -> Signature:
            from inspect import Parameter, Signature

            return Signature(
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=owner._field_defaults.get(name, Parameter.empty),
                    annotation=owner._field_types[name],  # noqa: SLF001
                )
                for name in owner._fields
            )

    class _Fields(tuple):
        """What every one of them has, by the names of `collections.namedtuple`."""

        __slots__ = ()
        # Not annotated: whoever asks for the hints of a class would be given these too.
        _fields = ()
        __signature__ = _Signature()

        def __new__(cls, *values: Any, **named: Any) -> Self:
            names = cls._fields
            if named or len(values) != len(names):
                values = _filled(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self:
            return cls(*values)

        def _replace(self, **changes: Any) -> Self:
            values = [changes.pop(n, old) for n, old in zip(self._fields, self, strict=True)]
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)!r}")
            return tuple.__new__(type(self), values)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            shown = (f"{n}={v!r}" for n, v in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({', '.join(shown)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    def _filled(cls: type[_Fields], values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        names = cls._fields
        filled = dict(zip(names, values, strict=False))
        wrong = [name for name in named if name in filled or name not in names]
        filled |= named
        missing = [n for n in names if n not in filled and n not in cls._field_defaults]
        # None of them says a value: it may be a secret.
        if len(values) > len(names):
            raise TypeError(f"{cls.__name__}() takes {len(names)} values, not {len(values)}")
        if wrong:
            raise TypeError(f"{cls.__name__}() got {', '.join(wrong)} twice, or has no such field")
        if missing:
            raise TypeError(f"{cls.__name__}() lacks {', '.join(missing)}")
        return [filled[n] if n in filled else cls._field_defaults[n] for n in names]

    class _Maker(type):
        """Makes a class of fields from what stands in the body of one."""

        def __new__(mcs, name: str, _: tuple[type, ...], body: dict[str, Any]) -> type:
            types = body.get("__annotations__", {})
            names = tuple(types)
            body["__slots__"] = ()
            body["_field_types"] = types
            body["_fields"] = body["__match_args__"] = names
            body["_field_defaults"] = {n: body[n] for n in names if n in body}
            for index, field in enumerate(names):
                body[field] = property(itemgetter(index))
            return type(name, (_Fields,), body)

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
