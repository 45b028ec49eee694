# The public names, for type checkers and editors; `__init__.py` imports them when used.

from interpal.sessions.kept_clients import keep, renew

__all__ = ["keep", "renew"]
