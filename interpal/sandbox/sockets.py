"""The open WebSockets of the sandbox, and what is sent into them.

Everything here runs in the event loop of the server; the lock is that of the site.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web

if TYPE_CHECKING:
    import threading

    from interpal.sandbox.site import Session, Site


class Sockets:
    """Each open socket with the session that opened it."""

    def __init__(self, site: Site, lock: threading.Lock) -> None:
        self._site = site
        self._lock = lock
        self._open: dict[web.WebSocketResponse, tuple[Session, asyncio.Transport | None]] = {}
        self._pumping = asyncio.Lock()

    async def serve(self, request: web.Request, session: Session) -> web.WebSocketResponse:
        """Shake hands, send the last message, and listen until the socket ends."""
        channel = web.WebSocketResponse(timeout=0.1)
        try:
            await channel.prepare(request)
            self._open[channel] = (session, request.transport)
            with self._lock:
                last = self._site.world.last_message(session.account.uid)
            if last is not None:
                await channel.send_str(json.dumps(last))
            # aiohttp answers pings; whatever else a client sends is ignored.
            async for frame in channel:
                if frame.type is WSMsgType.ERROR:
                    break
        except ConnectionError:
            pass  # It was dropped in the middle of a frame, or before it began.
        finally:
            self._open.pop(channel, None)
        return channel

    async def pump(self) -> None:
        """Send what is in the outbox, in order."""
        async with self._pumping:
            while True:
                with self._lock:
                    world = self._site.world
                    frames, world.outbox = world.outbox, []
                if not frames:
                    return
                for uid, frame in frames:
                    text = json.dumps(frame)
                    for channel in self._of_user(uid):
                        with contextlib.suppress(ConnectionError):
                            await channel.send_str(text)

    async def close_ended(self) -> None:
        """Close the sockets of sessions that are over."""
        with self._lock:
            ended = [
                channel
                for channel, (session, _) in self._open.items()
                if not self._site.is_live(session)
            ]
        for channel in ended:
            await channel.close(code=WSCloseCode.POLICY_VIOLATION)

    async def close_all(self) -> None:
        """Close every socket: the server ends."""
        for channel in list(self._open):
            await channel.close(code=WSCloseCode.GOING_AWAY)

    def drop(self, uid: str | None) -> None:
        """Cut the connections of a user, or of all, without a word."""
        for session, transport in list(self._open.values()):
            if uid in (None, session.account.uid) and transport is not None:
                transport.abort()

    def counts(self) -> dict[str, int]:
        """How many sockets each account has open, by its name; those that have none left out."""
        found: dict[str, int] = {}
        for session, _ in list(self._open.values()):
            name = session.account.name
            found[name] = found.get(name, 0) + 1
        return found

    def _of_user(self, uid: str) -> list[web.WebSocketResponse]:
        return [
            channel for channel, (session, _) in self._open.items() if session.account.uid == uid
        ]
