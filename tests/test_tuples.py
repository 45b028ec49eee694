"""The package's `NamedTuple` is that of `typing`, but for what making a class costs."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from typing import Any

import pytest

from interpal import _tuples


class Ours(_tuples.NamedTuple):
    """A point with a name."""

    x: int
    y: int = 2
    name: str | None = None

    @property
    def total(self) -> int:
        """What a method of one can do."""
        return self.x + self.y


class Theirs(typing.NamedTuple):
    """A point with a name."""

    x: int
    y: int = 2
    name: str | None = None

    @property
    def total(self) -> int:
        """What a method of one can do."""
        return self.x + self.y


class Child(Ours):
    """One that was derived from one."""

    extra = 5


KINDS: tuple[Any, ...] = (Ours, Theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_tuple_whose_fields_have_names(kind: Any) -> None:
    point = kind(1, name="a")
    assert point == (1, 2, "a") == tuple(point)
    assert (point.x, point.y, point.name, point.total) == (1, 2, "a", 3)
    assert hash(point) == hash((1, 2, "a"))
    assert repr(point) == f"{kind.__name__}(x=1, y=2, name='a')"
    assert point._asdict() == {"x": 1, "y": 2, "name": "a"}
    assert point._replace(y=7) == kind(1, 7, "a")
    assert type(point._replace(y=7)) is kind
    assert kind._make([1, 2, "a"]) == point
    assert kind._fields == ("x", "y", "name") == kind.__match_args__
    assert kind._field_defaults == {"y": 2, "name": None}
    assert not hasattr(point, "__dict__")
    with pytest.raises(AttributeError):
        point.x = 5


@pytest.mark.parametrize("kind", [*KINDS, Child])
def test_it_can_be_copied_and_pickled(kind: Any) -> None:
    point = kind(1)
    for again in (pickle.loads(pickle.dumps(point)), copy.copy(point), copy.deepcopy(point)):
        assert again == point
        assert type(again) is kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, "a", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((1, 2), {"y": 2})],
    ids=str,
)
def test_what_does_not_fit_is_refused(
    kind: Any, values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        kind(*values, **named)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_is_not_there_is_not_replaced(kind: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="z"):
        kind(1)._replace(z=3)


def test_tools_see_the_same_of_both() -> None:
    ours, theirs = (list(inspect.signature(kind).parameters.values()) for kind in KINDS)
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]
    assert inspect.signature(Child) == inspect.signature(Ours)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert inspect.getdoc(Ours) == inspect.getdoc(Theirs)


def test_one_that_was_derived_is_one_still() -> None:
    child = Child(1)
    assert (child.extra, child.total) == (5, 3)
    assert type(child._replace(x=2)) is Child


def test_no_refusal_shows_a_value() -> None:
    with pytest.raises(TypeError) as caught:
        Ours(1, 2, "a", "the secret")  # type: ignore[call-arg]
    assert "secret" not in str(caught.value)
