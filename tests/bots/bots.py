"""Both kinds of bots, run and asked in the same way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from interpal.ext.commands import Bot, SyncBot
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from interpal.sandbox import Sandbox

QUICK = {"reconnect_base_delay": 0.02, "reconnect_max_delay": 0.1}


class Asked:
    """A bot that runs while the block does; `ask` returns what it has written so far."""

    bot: Any

    def __init__(self, site: Sandbox, bot: Any) -> None:
        self.site = site
        self.bot = bot
        bot.live.settings = bot.live.settings._replace(**QUICK)

    def ask(self, text: str, answers: int = 1, who: str = "pedro_k") -> list[str]:
        """Have somebody write, wait for so many answers more; their texts."""
        before = len(self.site.messages())
        self.site.say(who, text, "maple_ink")
        assert eventually(lambda: len(self.site.messages()) >= before + answers), (
            self.site.messages()
        )
        return [message["message"] for message in self.site.messages()[before:]]

    def __enter__(self) -> Any:
        raise NotImplementedError


class AskedSync(Asked):
    def __enter__(self) -> AskedSync:
        self.bot.start_websocket()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bot.close()


class AskedAsync(Asked):
    def __enter__(self) -> AskedAsync:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(self.bot.start_websocket)
        return self

    def _run(self, method: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(method(), self._loop).result(30)

    def __exit__(self, *exc_info: object) -> None:
        for method in (
            self.bot.close,
            self._loop.shutdown_asyncgens,
            self._loop.shutdown_default_executor,
        ):
            self._run(method)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def new_bot(kind: type[Any], site: Sandbox, prefix: Any = "!", **settings: Any) -> Any:
    return kind(
        prefix,
        **{
            "username": "maple_ink",
            "password": "secret",
            "base_url": site.base_url,
            "timeout": 30,
            **settings,
        },
    )


KINDS = [(SyncBot, AskedSync), (Bot, AskedAsync)]


def in_the_style_of(kind: type[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function, or for `Bot` a coroutine function that awaits what it returns."""
    if kind is SyncBot:
        return function
    import functools
    import inspect

    @functools.wraps(function)
    async def awaited(*arguments: Any, **keywords: Any) -> Any:
        result = function(*arguments, **keywords)
        return await result if inspect.isawaitable(result) else result

    return awaited
