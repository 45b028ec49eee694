"""Bots: clients that carry out commands which somebody writes to them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from interpal._log import Logger
from interpal.async_client import AsyncInterpalClient
from interpal.client import InterpalClient
from interpal.exceptions import ValidationError
from interpal.ext.commands.arguments import convert
from interpal.ext.commands.command import Command, refusal
from interpal.ext.commands.context import Context
from interpal.ext.commands.conversations import AwaitedConversations, BlockingConversations
from interpal.ext.commands.errors import CommandError, DisabledCommand
from interpal.live.frames import NEW_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interpal.api.replies import ThreadNewMessageEvent
    from interpal.ext.commands.cog import Cog
    from interpal.ext.commands.command import Predicate
    from interpal.live.handlers import Dispatcher

_log = Logger("interpal.ext.commands")


class Invocation(NamedTuple):
    """A command in a message: which one, how it was called, and what stands behind it."""

    event: ThreadNewMessageEvent
    command: Command
    prefix: str
    invoked_with: str
    text: str


class BotBase:
    """What both bots share: the commands, how they are found, and the help."""

    if TYPE_CHECKING:
        # Of the client that it is mixed with.
        @property
        def live(self) -> Any:
            """The live events."""

    _awaits = True
    # A name of interpal 1.x: every command by each of its names.
    _commands: dict[str, Command]
    _cogs: dict[str, Cog]

    def __init__(
        self,
        command_prefix: str | Sequence[str] | Callable[..., Any] = "!",
        description: str | None = None,
        help_command: bool = True,
        case_insensitive: bool = True,
        **settings: Any,
    ) -> None:
        """*settings* are the arguments of the client.

        *command_prefix* is one prefix, several, or a function of the bot and the event that
        returns one or several. With username and password the bot logs in where it has to
        (`auto_login`). Raises `ValidationError`.
        """
        if settings.get("username") and settings.get("password"):
            settings.setdefault("auto_login", True)
        self.command_prefix = command_prefix
        self.description = description or ""
        self.case_insensitive = case_insensitive
        self._commands = {}
        self._cogs = {}
        self._checks: list[Predicate] = []
        self._ignored: set[str] = set()
        super().__init__(**settings)
        if help_command:
            self.add_command(Command(self._help_command(), name="help"))
        lane = AwaitedConversations if self._awaits else BlockingConversations
        self.live.others.append(lambda dispatcher: (NEW_MESSAGE, lane(dispatcher, self)))

    # Commands.

    @property
    def command_prefix(self) -> Any:
        """The prefixes, the longest first, or the function that returns them."""
        return self._prefix

    @command_prefix.setter
    def command_prefix(self, prefix: str | Sequence[str] | Callable[..., Any]) -> None:
        self._prefix = prefix if callable(prefix) else _prefixes(prefix)
        # What every command starts with, for a first look.
        self._starts = ("",) if callable(prefix) else tuple(_prefixes(prefix))

    @property
    def commands(self) -> list[Command]:
        """Every command once, in the order in which they were added."""
        return list(dict.fromkeys(self._commands.values()))

    @property
    def cogs(self) -> dict[str, Cog]:
        """The cogs by their names."""
        return dict(self._cogs)

    @overload
    def command(self, name: Callable[..., Any]) -> Command: ...
    @overload
    def command(
        self, name: str | None = None, **settings: Any
    ) -> Callable[[Callable[..., Any]], Command]: ...
    def command(self, name: Any = None, **settings: Any) -> Any:
        """Decorate a function that is a command: `@bot.command()`.

        The keyword arguments are those of `Command`. Raises TypeError where it is no function of
        this bot's style, and for one without a parameter for the context.
        """
        if callable(name):
            found = Command(name)
            self.add_command(found)
            return found

        def decorate(function: Callable[..., Any]) -> Command:
            found = Command(function, name, **settings)
            self.add_command(found)
            return found

        return decorate

    def add_command(self, command: Command) -> None:
        """Add a command; one that has a name of another takes its place under that name.

        Raises TypeError where its function is not of this bot's style.
        """
        if command.is_async is not self._awaits:
            wanted = "async def" if self._awaits else "def"
            raise TypeError(
                f"{command.callback.__qualname__}: a command of {type(self).__name__} is {wanted}"
            )
        for name in command.names:
            self._commands[self._key(name)] = command

    def remove_command(self, name: str) -> Command | None:
        """Take a command away, under all its names; None where there is none of this name."""
        found = self.get_command(name)
        if found is not None:
            for known in [known for known, it in self._commands.items() if it is found]:
                del self._commands[known]
        return found

    def get_command(self, name: str) -> Command | None:
        """The command of this name or alias."""
        return self._commands.get(self._key(name))

    def add_cog(self, cog: Cog) -> None:
        """Add a cog with its commands and listeners, in the place of one with the same name."""
        self.remove_cog(cog.qualified_name)
        if getattr(cog, "bot", None) is None:
            cog.bot = self
        for command in cog.get_commands():
            self.add_command(command)
        for name, function in cog.get_listeners():
            self.live.handlers.add(name, function)
        self._cogs[cog.qualified_name] = cog

    def remove_cog(self, name: str) -> Cog | None:
        """Take a cog away with its commands and listeners; None where there is none."""
        cog = self._cogs.pop(name, None)
        if cog is not None:
            for command in cog.get_commands():
                for known in [known for known, it in self._commands.items() if it is command]:
                    del self._commands[known]
            for event, function in cog.get_listeners():
                self.live.handlers.remove(event, function)
        return cog

    def get_cog(self, name: str) -> Cog | None:
        """The cog of this name."""
        return self._cogs.get(name)

    def check(self, predicate: Predicate) -> Predicate:
        """Decorate a function of the context that is asked before every command."""
        self._checks.append(predicate)
        return predicate

    def set_bot_user_id(self, user_id: int | str) -> None:
        """Never answer this person. (What the account itself writes is never answered.)"""
        self._ignored.add(str(user_id))

    def _key(self, name: str) -> str:
        return name.casefold() if self.case_insensitive else name

    # Messages.

    def find_command(self, event: ThreadNewMessageEvent) -> Invocation | None:
        """The command in a message; None for what is none, or one that the bot does not know."""
        try:
            text = event["data"]["message"]
            starts = text.startswith(self._starts)
        except (AttributeError, KeyError, TypeError):
            return None
        return self._find(event, text) if starts else None

    def _find(self, event: ThreadNewMessageEvent, text: str) -> Invocation | None:
        prefixes = self.command_prefix
        if callable(prefixes):
            prefixes = _prefixes(prefixes(self, event))
        for prefix in prefixes:
            if text.startswith(prefix):
                words = text[len(prefix) :].split(None, 1)
                command = self.get_command(words[0]) if words else None
                if command is None or event["data"].get("sender_id") in self._ignored:
                    return None
                rest = words[1] if len(words) > 1 else ""
                return Invocation(event, command, prefix, words[0], rest)
        return None

    def carry_out(self, found: Invocation, dispatcher: Dispatcher) -> Any:
        """Carry out a command; whatever it raises goes to `on_command_error`."""
        raise NotImplementedError

    def _context_of(self, found: Invocation) -> Context:
        return Context(self, found.event, found.command, found.prefix, found.invoked_with)

    def _questions(self, command: Command) -> list[Predicate]:
        if not command.enabled:
            raise DisabledCommand(f"{command.name} is switched off.")
        own = getattr(command.cog, "cog_check", None)
        return [*self._checks, *([] if own is None else [own]), *command.checks]

    # Help.

    def _help_command(self) -> Callable[..., Any]:
        raise NotImplementedError

    def help_text(self, command_name: str | None = None) -> str:
        """What the help command answers: one command's help, or all that are not hidden."""
        prefix = "" if callable(self.command_prefix) else self.command_prefix[0]
        if command_name:
            command = self.get_command(command_name)
            if command is None:
                return f"There is no command {command_name}."
            lines = [f"{prefix}{command.usage}"]
            if command.aliases:
                lines.append(f"Also: {', '.join(prefix + alias for alias in command.aliases)}")
            return "\n".join([*lines, *([command.help] if command.help else [])])
        lines = [self.description] if self.description else []
        groups: dict[str, list[str]] = {}
        for command in self.commands:
            if not command.hidden:
                brief = f": {command.brief}" if command.brief else ""
                group = "" if command.cog is None else command.cog.qualified_name
                groups.setdefault(group, []).append(f"{prefix}{command.usage}{brief}")
        for group, entries in groups.items():
            lines += [f"{group}:" if group else "Commands:", *(f"  {entry}" for entry in entries)]
        return "\n".join(lines)


class Bot(BotBase, AsyncInterpalClient):
    """A bot for asyncio: its commands are `async def` functions.

    `run()` runs it until SIGINT or SIGTERM; in a program with a loop of its own, `await start()`.
    """

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or `close()`. Raises what no other try can mend."""
        run(self)

    async def on_command_error(self, ctx: Context, error: Exception) -> None:
        """What happens where no handler of `on_command_error` was added.

        A `CommandError` is answered to whoever wrote the command, anything else only logged.
        """
        if isinstance(error, CommandError):
            await ctx.send(str(error))
        else:
            _log.error("the command %s raised", ctx.command.name, error=error)

    async def carry_out(self, found: Invocation, dispatcher: Dispatcher) -> None:
        """Carry out a command; whatever it raises goes to `on_command_error`."""
        ctx = self._context_of(found)
        try:
            for predicate in self._questions(found.command):
                refusal(await _awaited(predicate(ctx)))
            bound = found.command.bind(found.text)
            ctx.args = [await _awaited(convert(ctx, *pair)) for pair in bound.positional]
            if bound.keyword is not None:
                value = await _awaited(convert(ctx, *bound.keyword))
                ctx.kwargs = {bound.keyword[0].name: value}
            await found.command(ctx, *ctx.args, **ctx.kwargs)
        except Exception as error:  # noqa: BLE001  (the command is the user's)
            await self._failed(ctx, error, dispatcher)

    async def _failed(self, ctx: Context, error: Exception, dispatcher: Dispatcher) -> None:
        if self.live.handlers.of("on_command_error"):
            dispatcher.tell("on_command_error", ctx, error)
            return
        try:
            await self.on_command_error(ctx, error)
        except Exception as another:  # noqa: BLE001  (it may be the user's too)
            dispatcher.failed(self.on_command_error, another, (ctx,))

    def _help_command(self) -> Callable[..., Any]:
        async def help_command(ctx: Context, command_name: str | None = None) -> None:
            """Show the commands, or the help of one of them."""
            await ctx.send(self.help_text(command_name))

        return help_command


class SyncBot(BotBase, InterpalClient):
    """A bot of plain functions, each command in a thread.

    `run()` runs it until SIGINT or SIGTERM; `start_websocket()` runs it beside the program.
    """

    _awaits = False

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or `close()`. Raises what no other try can mend."""
        live = self.live
        with _signals(live.end):
            try:
                live.connect()
                live.wait()
            finally:
                live.disconnect()
                self.close()

    def on_command_error(self, ctx: Context, error: Exception) -> None:
        """What happens where no handler of `on_command_error` was added.

        A `CommandError` is answered to whoever wrote the command, anything else only logged.
        """
        if isinstance(error, CommandError):
            ctx.send(str(error))
        else:
            _log.error("the command %s raised", ctx.command.name, error=error)

    def carry_out(self, found: Invocation, dispatcher: Dispatcher) -> None:
        """Carry out a command; whatever it raises goes to `on_command_error`."""
        ctx = self._context_of(found)
        try:
            for predicate in self._questions(found.command):
                refusal(predicate(ctx))
            bound = found.command.bind(found.text)
            ctx.args = [convert(ctx, *pair) for pair in bound.positional]
            if bound.keyword is not None:
                ctx.kwargs = {bound.keyword[0].name: convert(ctx, *bound.keyword)}
            found.command(ctx, *ctx.args, **ctx.kwargs)
        except Exception as error:  # noqa: BLE001  (the command is the user's)
            self._failed(ctx, error, dispatcher)

    def _failed(self, ctx: Context, error: Exception, dispatcher: Dispatcher) -> None:
        if self.live.handlers.of("on_command_error"):
            dispatcher.from_thread(dispatcher.tell, "on_command_error", ctx, error)
            return
        try:
            self.on_command_error(ctx, error)
        except Exception as another:  # noqa: BLE001  (it may be the user's too)
            dispatcher.from_thread(dispatcher.failed, self.on_command_error, another, (ctx,))

    def _help_command(self) -> Callable[..., Any]:
        def help_command(ctx: Context, command_name: str | None = None) -> None:
            """Show the commands, or the help of one of them."""
            ctx.send(self.help_text(command_name))

        return help_command


def run(*bots: Bot) -> None:
    """Run several bots in one event loop, until SIGINT or SIGTERM.

    One that ends does not end the others. When all have ended the first error is raised that
    ended one.
    """
    asyncio.run(_run_all(bots))


async def _run_all(bots: Sequence[Bot]) -> None:
    def stop() -> None:
        for bot in bots:
            bot.live.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers, and a thread that is not the main one may not set them.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
    ends = await asyncio.gather(*(_run_one(bot) for bot in bots), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end


async def _run_one(bot: Bot) -> None:
    try:
        await bot.start()
    finally:
        await bot.close()


@contextlib.contextmanager
def _signals(end: Callable[[], None]) -> Any:
    """SIGINT and SIGTERM end the bot while the block runs, where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda _number, _frame: end())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _prefixes(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else list(value)
    if not found or not all(isinstance(prefix, str) and prefix for prefix in found):
        raise ValidationError("command_prefix: expected a prefix, or several, of a letter at least")
    return sorted(found, key=len, reverse=True)
