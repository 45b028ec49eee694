"""Logging that costs nothing while nobody listens.

Importing `logging` is a fifth of the time that a whole resume takes. A program that has not
imported it has no handler that could show a record, so there is nothing to lose by not
importing it for its sake. Where it is loaded, records go to `logging.getLogger("interpal…")`,
whose root has a `NullHandler`, as libraries do.
"""

from __future__ import annotations

import sys


class Logger:
    """The few calls of a `logging.Logger` that the package makes."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *values: object) -> None:
        self._log(10, message, values)

    def info(self, message: str, *values: object) -> None:
        self._log(20, message, values)

    def warning(self, message: str, *values: object) -> None:
        self._log(30, message, values)

    def error(self, message: str, *values: object, error: BaseException | None = None) -> None:
        """With the traceback of *error*, for what is wrong in the program that calls us."""
        self._log(40, message, values, error)

    def _log(
        self,
        level: int,
        message: str,
        values: tuple[object, ...],
        error: BaseException | None = None,
    ) -> None:
        logging = sys.modules.get("logging")
        if logging is None:
            return
        root = logging.getLogger("interpal")
        if not root.handlers:
            root.addHandler(logging.NullHandler())
        logger = logging.getLogger(self._name)
        if logger.isEnabledFor(level):
            from interpal._text import printable

            # Two frames up: the caller of debug, info, warning or error.
            # A name or the text of an error may hold what begins a line of its own.
            clean = [printable(one) if isinstance(one, str) else one for one in map(_text, values)]
            logger.log(level, message, *clean, stacklevel=3, exc_info=error)


def _text(value: object) -> object:
    return str(value) if isinstance(value, BaseException) else value
