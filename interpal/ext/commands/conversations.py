"""Commands of one conversation come one after the other, those of different ones side by side."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from interpal.live.handlers import MOST_WAITING, Dispatcher, Lane, in_a_handler

if TYPE_CHECKING:
    from interpal.ext.commands.bot import BotBase, Invocation

AT_ONCE = 100
THREADS = 16


class Conversations(Lane):
    """The lane of a bot's commands. What is no command costs it a look at the first letters."""

    def __init__(self, dispatcher: Dispatcher, bot: BotBase) -> None:
        super().__init__(dispatcher)
        self._bot = bot
        self._queues: dict[str, deque[Invocation]] = {}
        self._unfinished = 0
        # For `BlockingConversations`, whose threads take from the queues.
        self._guard = threading.Lock()

    @property
    def unfinished(self) -> int:
        """How many commands wait or are being carried out."""
        return self._unfinished

    def put(self, arguments: tuple[Any, ...]) -> None:
        """Add the command of a message, if it is one."""
        found = self._bot.find_command(arguments[0])
        if found is None:
            return
        thread_id = found.event.thread_id or ""
        with self._guard:
            self._unfinished += 1
            queue = self._queues.get(thread_id)
            if queue is None:
                self._queues[thread_id] = deque([found])
            else:
                queue.append(found)
        if queue is None:
            self._begin(thread_id)
        if self._unfinished >= MOST_WAITING:
            self.dispatcher.crowd(self)

    def _begin(self, thread_id: str) -> None:
        raise NotImplementedError

    def _next(self, thread_id: str) -> Invocation | None:
        with self._guard:
            queue = self._queues[thread_id]
            if queue:
                return queue.popleft()
            del self._queues[thread_id]
            return None

    def _done(self) -> None:
        with self._guard:
            self._unfinished -= 1


class AwaitedConversations(Conversations):
    """Commands that are coroutine functions, a task for each conversation."""

    def __init__(self, dispatcher: Dispatcher, bot: BotBase) -> None:
        super().__init__(dispatcher, bot)
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def _begin(self, thread_id: str) -> None:
        task = asyncio.create_task(self._work(thread_id), name=f"interpal thread {thread_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, thread_id: str) -> None:
        in_a_handler.set(True)
        async with self._room:
            while (found := self._next(thread_id)) is not None:
                try:
                    await self._bot.carry_out(found, self.dispatcher)
                finally:
                    self._done()
                    self.progressed()

    def cancel(self) -> None:
        """Carry out nothing more."""
        for task in self._tasks:
            task.cancel()


class BlockingConversations(Conversations):
    """Commands that are plain functions, in threads."""

    def __init__(self, dispatcher: Dispatcher, bot: BotBase) -> None:
        super().__init__(dispatcher, bot)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="interpal command")

    def _begin(self, thread_id: str) -> None:
        self._pool.submit(self._work, thread_id)

    def _work(self, thread_id: str) -> None:
        in_a_handler.set(True)
        while (found := self._next(thread_id)) is not None:
            try:
                self._bot.carry_out(found, self.dispatcher)
            finally:
                self._done()
                self.dispatcher.from_thread(self.progressed)

    def cancel(self) -> None:
        """Carry out nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
