"""What can be wrong with a command that somebody has written to a bot.

Each is an `InterpalException`; the text is one that may be sent to whoever wrote the command.
"""

from __future__ import annotations

from interpal.exceptions import InterpalException


class CommandError(InterpalException):
    """A command was not carried out, for a reason that lies with who wrote it."""


class UserInputError(CommandError):
    """The arguments are wrong."""


class MissingRequiredArgument(UserInputError):  # noqa: N818  (the name known from other libraries)
    """An argument without a default is missing. `name` is its parameter's."""

    def __init__(self, name: str, usage: str) -> None:
        super().__init__(f"Missing required argument: {name}. Usage: {usage}")
        self.name = name


class BadArgument(UserInputError):  # noqa: N818
    """An argument could not be converted. `name` is its parameter's."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Bad argument {name}: {reason}")
        self.name = name


class TooManyArguments(UserInputError):  # noqa: N818
    """There are more arguments than parameters."""

    def __init__(self, usage: str) -> None:
        super().__init__(f"Too many arguments. Usage: {usage}")


class CheckFailure(CommandError):  # noqa: N818
    """A check has said no."""

    def __init__(self, message: str = "You may not use this command.") -> None:
        super().__init__(message)


class CommandOnCooldown(CheckFailure):
    """It was used too often. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too often: try again in {retry_after:.0f} seconds.")
        self.retry_after = retry_after


class DisabledCommand(CommandError):  # noqa: N818
    """The command is switched off."""
