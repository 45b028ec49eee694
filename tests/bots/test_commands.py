"""Bots of both kinds against the sandbox: commands, cogs, checks, help and errors."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import NetworkError, ValidationError
from interpal.ext.commands import (
    Bot,
    CheckFailure,
    Cog,
    Command,
    CommandError,
    SyncBot,
    check,
    command,
    cooldown,
    listener,
    only_for,
)
from tests.bots.bots import KINDS, Asked, in_the_style_of, new_bot
from tests.sandbox.web import User, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.sandbox import Sandbox


class Style:
    """One kind of bot, with a bot of it."""

    def __init__(self, kind: type[Any], asked: type[Asked], site: Sandbox) -> None:
        self.kind, self.asked, self.site = kind, asked, site
        self.bot = new_bot(kind, site)

    def add(self, function: Callable[..., Any], **settings: Any) -> Any:
        return self.bot.command(**settings)(in_the_style_of(self.kind, function))

    def running(self) -> Any:
        return self.asked(self.site, self.bot)


@pytest.fixture(params=KINDS, ids=["sync", "async"])
def style(request: pytest.FixtureRequest, site: Sandbox) -> Style:
    kind, asked = request.param
    return Style(kind, asked, site)


def test_a_command_is_answered_where_it_was_asked(style: Style) -> None:
    def hello(ctx: Any, name: str | None = None) -> Any:
        """Say hello."""
        return ctx.send(f"Hello {name or ctx.sender_name}!")

    def add(ctx: Any, first: int, second: int) -> Any:
        return ctx.reply(str(first + second))

    style.add(hello)
    style.add(add, aliases=["sum"], name="plus")
    with style.running() as asked:
        assert asked.ask("!hello") == ["Hello Pedro!"]
        assert asked.ask("!HELLO dear Lin", who="lin.m") == ["Hello dear Lin!"]
        assert asked.ask("!plus 3 4") == ["7"]
        assert asked.ask("!SUM 3 5") == ["8"]
        threads = {message["thread_id"] for message in style.site.messages()}
        assert len(threads) == 2
        # No commands: these are passed over.
        for text in ("hello", "!", "! ", "!add 3 4", "!unknown", "say !hello", ""):
            if text:
                style.site.say("pedro_k", text, "maple_ink")
        assert asked.ask("!hello") == ["Hello Pedro!"]
    assert len(style.site.messages()) == 5


def test_the_context_knows_who_wrote_what_and_where(style: Style) -> None:
    seen: list[Any] = []

    def look(ctx: Any, *words: str) -> Any:
        seen.append(ctx)
        return ctx.send("seen")

    style.add(look, aliases=["see"])
    with style.running() as asked:
        asked.ask("!see you there", who="lin.m")
        own = style.bot.session.user_id
    ctx = seen[0]
    assert ctx.content == "!see you there"
    assert (ctx.prefix, ctx.invoked_with, ctx.command.name) == ("!", "see", "look")
    assert ctx.args == ["you", "there"]
    assert ctx.sender.username == ctx.author.username == "lin.m"
    assert ctx.sender_name == "Lin"
    assert ctx.sender_id == ctx.sender.id != own
    assert ctx.thread_id == ctx.event.thread_id == ctx.message.thread_id
    assert ctx.counters.unread_threads >= 1
    assert ctx.click_url == f"/app/messages?thread_id={ctx.thread_id}"
    assert ctx.has_event
    assert ctx.get_sender_avatar("small") is None
    assert "lin" not in repr(ctx).lower()
    assert ctx.bot is style.bot


def test_a_bot_does_not_answer_itself(style: Style) -> None:
    style.add(lambda ctx: ctx.send("!loop"), name="loop")
    with style.running() as asked:
        assert asked.ask("!loop") == ["!loop"]
        own = style.bot.session.user_id
        tid = style.site.messages()[0]["thread_id"]
        # From another device of the same account, and in a frame of the older kind.
        User(style.site).call("POST", "/v1/message", data={"thread_id": tid, "message": "!loop"})
        data = {"id": "1999999999999999999", "thread_id": tid, "sender_id": own, "message": "!loop"}
        style.site.push({"type": "THREAD_NEW_MESSAGE", "data": data}, "maple_ink")
        assert asked.ask("!loop") == ["!loop"]
    assert len(style.site.messages()) == 3


def test_several_prefixes_and_those_of_a_function(style: Style) -> None:
    style.add(lambda ctx: ctx.send(ctx.prefix), name="which")
    style.bot.command_prefix = ["?", "??", "hey "]
    assert style.bot.command_prefix[0] == "hey "
    with style.running() as asked:
        assert asked.ask("??which") == ["??"]
        assert asked.ask("hey which") == ["hey "]
        style.bot.command_prefix = lambda bot, event: ["~", event.sender.username]
        assert asked.ask("~which") == ["~"]
        assert asked.ask("pedro_k which") == ["pedro_k"]
    for wrong in ("", [], [""], 7):
        with pytest.raises((ValidationError, TypeError)):
            new_bot(style.kind, style.site, wrong)


def test_people_can_be_ignored(style: Style) -> None:
    style.add(lambda ctx: ctx.send(ctx.sender_name), name="who")
    with style.running() as asked:
        asked.ask("!who", who="lin.m")
        style.bot.set_bot_user_id(style.site.say("pedro_k", "x", "maple_ink")["sender_id"])
        style.site.say("pedro_k", "!who", "maple_ink")
        assert asked.ask("!who", who="lin.m") == ["Lin"]


def test_wrong_arguments_are_told_to_who_wrote_them(style: Style) -> None:
    style.add(lambda ctx, first, second: ctx.send("fine"), name="two")
    style.add(lambda ctx: ctx.send("fine"), name="off", enabled=False)
    with style.running() as asked:
        assert asked.ask("!two one") == [
            "Missing required argument: second. Usage: two <first> <second>"
        ]
        assert asked.ask("!off") == ["off is switched off."]


def test_other_errors_are_told_to_the_log_alone(
    style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(ctx: Any) -> Any:
        raise LookupError("the drawer is empty")

    style.add(fail)
    style.add(lambda ctx: ctx.send("fine"), name="work")
    with caplog.at_level(logging.ERROR, logger="interpal"), style.running() as asked:
        style.site.say("pedro_k", "!fail", "maple_ink")
        assert asked.ask("!work") == ["fine"]
    record = next(record for record in caplog.records if "fail raised" in record.getMessage())
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_all_errors_go_to_the_event_where_it_is_heard(style: Style) -> None:
    told: list[tuple[str, Exception]] = []

    def on_command_error(ctx: Any, error: Exception) -> Any:
        told.append((ctx.command.name, error))
        return ctx.send("sorry")

    style.bot.event(in_the_style_of(style.kind, on_command_error))
    style.add(lambda ctx, number: ctx.send(str(1 // int(number))), name="divide")
    with style.running() as asked:
        assert asked.ask("!divide 0") == ["sorry"]
        assert asked.ask("!divide") == ["sorry"]
    assert [name for name, _ in told] == ["divide", "divide"]
    assert isinstance(told[0][1], ZeroDivisionError)
    assert isinstance(told[1][1], CommandError)


@pytest.mark.parametrize("arrived", [True, False])
def test_an_answer_whose_outcome_is_open_is_an_error_and_not_sent_again(
    style: Style, arrived: bool
) -> None:
    told: list[Exception] = []
    style.bot.event(
        in_the_style_of(
            style.kind, _named("on_command_error", lambda ctx, error: told.append(error))
        )
    )
    style.add(lambda ctx: ctx.send("the only one"), name="once")
    with style.running():
        style.site.fault("/v1/message", drop=True, after=arrived)
        style.site.say("pedro_k", "!once", "maple_ink")
        assert eventually(lambda: bool(told))
    assert isinstance(told[0], NetworkError)
    assert len(style.site.messages()) == arrived
    assert style.site.stats()["requests"]["/v1/message"] == 1


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


def test_checks(style: Style) -> None:
    asked_of: list[str] = []

    def everywhere(ctx: Any) -> bool:
        asked_of.append(ctx.command.name)
        return bool(ctx.sender_name != "Amara")

    style.bot.check(in_the_style_of(style.kind, everywhere))
    lin_only = only_for("LIN.M")(in_the_style_of(style.kind, lambda ctx: ctx.send("for Lin")))
    style.bot.command(name="lin")(lin_only)
    twice = style.add(lambda ctx: ctx.send("fine"), name="twice")
    cooldown(2, 3600)(twice)

    def never(ctx: Any) -> bool:
        raise CheckFailure("Not on Sundays.")

    check(in_the_style_of(style.kind, never))(style.add(lambda ctx: None, name="sunday"))
    with style.running() as asked:
        assert asked.ask("!lin", who="lin.m") == ["for Lin"]
        assert asked.ask("!lin") == ["You may not use this command."]
        assert asked.ask("!twice", who="amara_w") == ["You may not use this command."]
        assert asked.ask("!sunday") == ["Not on Sundays."]
        assert asked.ask("!twice") == asked.ask("!twice") == ["fine"]
        assert asked.ask("!twice")[0].startswith("Too often: try again in 3")
        assert asked.ask("!twice", who="lin.m") == ["fine"]
    assert asked_of[0] == "lin"


def test_cogs(style: Style) -> None:
    ready = threading.Event()

    class Counting(Cog):
        """Counts."""

        count = 0

        def count_up(self, ctx: Any, by: int = 1) -> Any:
            self.count += by
            return ctx.send(str(self.count))

        count_up = command(name="up", aliases=["more"])(in_the_style_of(style.kind, count_up))

        def set_ready(self) -> None:
            ready.set()

        set_ready = listener("on_ready")(in_the_style_of(style.kind, set_ready))

        def cog_check(self, ctx: Any) -> bool:
            return bool(ctx.sender_name != "Amara")

    class Quiet(Counting):
        count_up = None  # type: ignore[assignment]

    cog = Counting()
    style.bot.add_cog(cog)
    assert cog.bot is style.bot
    assert style.bot.get_cog("Counting") is cog
    assert [found.name for found in cog.get_commands()] == ["up"]
    assert Quiet().get_commands() == []
    with style.running() as asked:
        assert ready.wait(10)
        assert asked.ask("!up") == ["1"]
        assert asked.ask("!more 5") == ["6"]
        assert asked.ask("!up", who="amara_w") == ["You may not use this command."]
        style.bot.add_cog(Counting(style.bot))
        assert asked.ask("!up") == ["1"]
        assert style.bot.remove_cog("Counting") is not cog
        assert style.bot.remove_cog("Counting") is None
        assert style.bot.get_command("up") is None
        assert list(style.bot.cogs) == []


def test_help(style: Style) -> None:
    def roll(ctx: Any, sides: int = 6, *rest: str) -> None:
        """Roll a die.

        It has six sides unless you say otherwise.
        """

    style.bot.description = "I play."
    style.add(roll, aliases=["dice"])
    style.add(lambda ctx: None, name="secret", hidden=True)
    with style.running() as asked:
        all_of_them = (
            "I play.\nCommands:\n"
            "  !help [command_name]: Show the commands, or the help of one of them.\n"
            "  !roll [sides] [rest...]: Roll a die."
        )
        one_of_them = (
            "!roll [sides] [rest...]\nAlso: !dice\nRoll a die.\n\n"
            "It has six sides unless you say otherwise."
        )
        assert asked.ask("!help") == [all_of_them]
        assert asked.ask("!help dice") == [one_of_them]
        assert asked.ask("!help what") == ["There is no command what."]
        style.add(lambda ctx: ctx.send("mine"), name="help")
        assert asked.ask("!help") == ["mine"]
    assert new_bot(style.kind, style.site, help_command=False).commands == []


def test_commands_are_added_found_and_removed(style: Style) -> None:
    found = style.add(lambda ctx: None, name="one", aliases=["uno"])
    assert isinstance(found, Command)
    assert style.bot.get_command("UNO") is found
    assert found in style.bot.commands
    assert set(style.bot._commands) == {"help", "one", "uno"}
    assert style.bot.remove_command("uno") is found
    assert style.bot.remove_command("uno") is None
    assert set(style.bot._commands) == {"help"}
    exact = new_bot(style.kind, style.site, case_insensitive=False)
    exact.add_command(found)
    assert exact.get_command("ONE") is None


def test_a_command_is_of_the_style_of_its_bot(site: Sandbox) -> None:
    async def waiting(ctx: Any) -> None: ...
    def plain(ctx: Any) -> None: ...

    with pytest.raises(TypeError, match="a command of SyncBot is def"):
        new_bot(SyncBot, site).command(waiting)
    with pytest.raises(TypeError, match="a command of Bot is async def"):
        new_bot(Bot, site).command()(plain)


def test_one_conversation_comes_in_order_and_none_waits_for_another(style: Style) -> None:
    gate, begun = threading.Event(), threading.Event()
    done: list[str] = []

    if style.kind is SyncBot:

        @style.bot.command()  # type: ignore[untyped-decorator]
        def slow(ctx: Any, name: str) -> None:
            begun.set()
            gate.wait(20)
            done.append(name)

    else:

        @style.bot.command(name="slow")  # type: ignore[untyped-decorator]
        async def slowly(ctx: Any, name: str) -> None:
            import asyncio

            begun.set()
            await asyncio.get_running_loop().run_in_executor(None, gate.wait, 20)
            done.append(name)

    def quick(ctx: Any) -> Any:
        done.append(ctx.sender_name)
        return ctx.send("quick")

    style.add(quick)
    with style.running() as asked:
        style.site.say("pedro_k", "!slow one", "maple_ink")
        style.site.say("pedro_k", "!slow two", "maple_ink")
        style.site.say("pedro_k", "!quick", "maple_ink")
        assert begun.wait(10)
        asked.ask("!quick", who="lin.m")
        assert done == ["Lin"]
        gate.set()
        assert eventually(lambda: len(style.site.messages()) == 2)
    assert done == ["Lin", "one", "two", "Pedro"]


def test_a_command_may_close_the_bot(style: Style) -> None:
    style.add(lambda ctx: style.bot.close(), name="shutdown")
    with style.running():
        style.site.say("pedro_k", "!shutdown", "maple_ink")
        assert eventually(lambda: style.site.sockets() == {})
        assert eventually(lambda: style.bot.live.state.name == "CLOSED")


def test_both_styles_of_decorators_register_a_command(site: Sandbox) -> None:
    bot = new_bot(SyncBot, site)

    @bot.command  # type: ignore[untyped-decorator]
    def bare(ctx: Any) -> str:
        return "bare"

    @bot.command("given")  # type: ignore[untyped-decorator]
    def named(ctx: Any) -> str:
        return "named"

    assert {"bare", "given"} < set(bot._commands)
    assert bare(None) == bare.invoke(None) == "bare"
    assert named(None) == "named"
