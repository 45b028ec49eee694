"""What a command is called with: who wrote what, where, and how to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interpal.api.replies import EventCounters, ThreadNewMessageEvent
    from interpal.ext.commands.command import Command


class Context:
    """The first argument of a command.

    `event` is the frame (`message` is another name for it), `command` the `Command`, `prefix` and
    `invoked_with` what was written before it and for it, `args` and `kwargs` what its function is
    called with behind the context, `bot` the bot.
    """

    def __init__(
        self,
        bot: Any,
        message: ThreadNewMessageEvent,
        command: Command,
        prefix: str,
        invoked_with: str,
        args: list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.bot = bot
        self.event = self.message = message
        self.command = command
        self.prefix = prefix
        self.invoked_with = invoked_with
        self.args = [] if args is None else args
        self.kwargs = {} if kwargs is None else kwargs

    def __repr__(self) -> str:
        return f"<Context of {self.prefix}{self.invoked_with} in thread {self.thread_id}>"

    @property
    def content(self) -> str:
        """The whole message."""
        return self.event.message or ""

    @property
    def thread_id(self) -> str:
        """The id of the conversation."""
        return self.event.thread_id or ""

    @property
    def sender(self) -> Any:
        """Who wrote it, as far as the frame tells."""
        return self.event.sender

    author = sender

    @property
    def sender_id(self) -> str | None:
        """The id of who wrote it."""
        data = self.event.get("data")
        found: str | None = data.get("sender_id") if isinstance(data, dict) else None
        return found

    @property
    def sender_name(self) -> str:
        """The name of who wrote it, or else the username."""
        sender = self.event.get("sender")
        if not isinstance(sender, dict):
            return "somebody"
        return str(sender.get("name") or sender.get("username") or "somebody")

    @property
    def counters(self) -> EventCounters:
        """What is new in the account, as the frame says."""
        return self.event.counters

    @property
    def click_url(self) -> str | None:
        """The path of the conversation on the website."""
        found: str | None = self.event.get("click_url")
        return found

    @property
    def has_event(self) -> bool:
        """True: there is always a whole event. (In interpal 1.x there might be none.)"""
        return True

    def get_sender_avatar(self, size: str = "medium") -> str | None:
        """The URL of the sender's picture: `small`, `medium`, `large`, or `url` for the whole."""
        name = "avatar_url" if size == "url" else f"avatar_thumb_{size}"
        found: str | None = getattr(self.sender, name, None)
        return found

    def send(self, content: str, **fields: Any) -> Any:
        """Answer in the conversation. To be awaited where the bot is a `Bot`.

        Never sent twice: a `NetworkError` leaves open whether it arrived.
        """
        return self.bot.send_message(self.thread_id, content, **fields)

    def reply(self, content: str, **fields: Any) -> Any:
        """Another name for `send`."""
        return self.send(content, **fields)

    def typing(self) -> Any:
        """Show that one is writing. To be awaited where the bot is a `Bot`."""
        return self.bot.set_typing(self.thread_id)
