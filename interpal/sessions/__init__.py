"""A session kept, for any service: waiting, events, refused logins and one login for all.

    from interpal.sessions import keep

    forum = keep(requests.Session(), "forum", "sessions.json", login=login)

Names are imported when they are first used.
"""

from __future__ import annotations

from interpal._lazy import public_names

TYPE_CHECKING = False  # pyright: ignore[reportConstantRedefinition]
if TYPE_CHECKING:
    # For pylint, which reads no stubs.
    from typing import Any

    keep: Any
    renew: Any

# The same names for type checkers and editors are in `__init__.pyi`; a test compares the two.
__all__, __getattr__, __dir__ = public_names(
    __name__, {"interpal.sessions.kept_clients": "keep renew"}
)
