"""Bots that answer to commands: `Bot` for asyncio, `SyncBot` of plain functions.

bot = Bot(command_prefix="!", username="maple_ink", password=…, persist_session=True)

@bot.command()
async def hello(ctx):
    await ctx.send(f"Hello {ctx.sender_name}!")

bot.run()
"""

from __future__ import annotations

from interpal.ext.commands.arguments import Converter
from interpal.ext.commands.bot import Bot, SyncBot, run
from interpal.ext.commands.cog import Cog, listener
from interpal.ext.commands.command import Command, check, command, cooldown, only_for
from interpal.ext.commands.context import Context
from interpal.ext.commands.errors import (
    BadArgument,
    CheckFailure,
    CommandError,
    CommandOnCooldown,
    DisabledCommand,
    MissingRequiredArgument,
    TooManyArguments,
    UserInputError,
)

__all__ = [
    "BadArgument",
    "Bot",
    "CheckFailure",
    "Cog",
    "Command",
    "CommandError",
    "CommandOnCooldown",
    "Context",
    "Converter",
    "DisabledCommand",
    "MissingRequiredArgument",
    "SyncBot",
    "TooManyArguments",
    "UserInputError",
    "check",
    "command",
    "cooldown",
    "listener",
    "only_for",
    "run",
]
