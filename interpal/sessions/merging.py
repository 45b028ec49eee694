"""What comes of the changes that two programs have made of one thing: cookie by cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.sessions.cookies import cookies_of, within_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.session import Session

K = TypeVar("K")
V = TypeVar("V")


def merged(base: Mapping[K, V], mine: Mapping[K, V], stored: Mapping[K, V]) -> dict[K, V]:
    """What comes of two changes of *base*: *mine*, and what is *stored* by now.

    What was changed here counts where both changed it. What is gone here is taken away, unless
    it was set anew there.
    """
    result = dict(stored)
    for key in {**base, **mine}:
        if mine.get(key) == base.get(key):
            continue
        if key in mine:
            result[key] = mine[key]
        elif stored.get(key) == base.get(key):
            result.pop(key, None)
    return result


def merged_members(seen: Session, mine: Session, stored: Session) -> dict[str, Any]:
    """The cookies of a record, of which *seen* has become *mine* here and *stored* elsewhere."""
    before, here, there = map(cookies_of, (seen, mine, stored))
    own = there[0] if here[0] == before[0] else here[0]
    others = merged(*({one.key: one for one in found[1:]} for found in (before, here, there)))
    kept = within_limits(own, list(others.values()), [], None)
    return {
        "cookies": dict(kept.others),
        "cookie_attributes": [dict(one) for one in kept.attributes],
    }
