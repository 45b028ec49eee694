"""A bot that answers to commands: `!hello`, `!add 3 4`, `!help`.

python examples/reply_bot.py

Against the sandbox somebody writes to it, and it ends; with INTERPALS_USERNAME it runs until
Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from _sandbox import account, sandbox_says

from interpal.ext.commands import Bot, Context


def make_bot(username: str, password: str) -> Bot:
    bot = Bot("!", username=username, password=password, persist_session=True)

    @bot.command()
    async def hello(ctx: Context, name: str | None = None) -> None:
        """Say hello to somebody."""
        await ctx.send(f"Hello {name or ctx.sender_name}!")

    @bot.command(aliases=["sum"])
    async def add(ctx: Context, first: int, second: int) -> None:
        """Add two numbers."""
        await ctx.send(f"{first} and {second} are {first + second}.")

    return bot


def show(bot: Bot, *questions: str) -> None:
    """Have somebody of the sandbox ask, print what the bot answers, and end it."""
    asked = list(questions)

    async def ask() -> None:
        await asyncio.to_thread(sandbox_says, "pedro_k", asked.pop(0))

    @bot.event
    async def on_ready() -> None:
        await ask()

    @bot.event
    async def on_sync_message(event: Any) -> None:
        # What the bot itself has written.
        if event.contact.username == "pedro_k" and event.data.sender_id == bot.auth.bot_id:
            print(f"{event.contact.name} is told: {event.message}")
            if asked:
                await ask()
            else:
                await bot.close()


if __name__ == "__main__":
    with account() as (username, password):
        bot = make_bot(username, password)
        if "INTERPALS_USERNAME" not in os.environ:
            show(bot, "!hello", "!add 3 4", "!help add")
        bot.run()
