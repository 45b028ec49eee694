"""Both clients as listeners: started, stopped and heard in the same way."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any

from interpal import AsyncInterpalClient, InterpalClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

QUICK = {"reconnect_base_delay": 0.02, "reconnect_max_delay": 0.1}


class Listener:
    """A client with handlers that put what they hear into `heard`, as (name, event)."""

    client_class: type[Any]

    def __init__(self, *names: str, live: dict[str, Any] | None = None, **settings: Any) -> None:
        self.client: Any = self.client_class(**settings)
        changes = {**QUICK, **(live or {})}
        self.client.live.settings = self.client.live.settings._replace(**changes)
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        for name in names or ("on_message",):
            self.listen(name)

    def listen(self, name: str) -> None:
        raise NotImplementedError

    def listen_in_a_thread(self, name: str, function: Callable[[Any], None]) -> None:
        """Add a handler that may block, in the style of the client."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def next(self, seconds: float = 20.0) -> tuple[str, Any]:
        """What is heard next."""
        return self.heard.get(timeout=seconds)

    def next_of(self, name: str) -> Any:
        """The next event of this name; others are passed over."""
        while True:
            found, event = self.next()
            if found == name:
                return event

    def messages(self, count: int) -> list[str]:
        """The texts of the next so many messages."""
        return [self.next_of("on_message").message for _ in range(count)]


class SyncListener(Listener):
    client_class = InterpalClient

    def listen(self, name: str) -> None:
        self.client.live.handlers.add(name, lambda event=None: self.heard.put((name, event)))

    def listen_in_a_thread(self, name: str, function: Callable[[Any], None]) -> None:
        self.client.live.handlers.add(name, function)

    def __enter__(self) -> SyncListener:
        self.client.start_websocket()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.close()


class AsyncListener(Listener):
    client_class = AsyncInterpalClient

    def listen(self, name: str) -> None:
        async def handler(event: Any = None) -> None:
            self.heard.put((name, event))

        self.client.live.handlers.add(name, handler)

    def listen_in_a_thread(self, name: str, function: Callable[[Any], None]) -> None:
        async def handler(event: Any) -> None:
            await asyncio.get_running_loop().run_in_executor(None, function, event)

        self.client.live.handlers.add(name, handler)

    def __enter__(self) -> AsyncListener:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self.run(self.client.start_websocket)
        except BaseException:
            self.__exit__()
            raise
        return self

    def run(self, method: Callable[..., Any], *arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(method(*arguments), self._loop).result(30)

    def __exit__(self, *exc_info: object) -> None:
        self.run(self.client.close)
        self.run(self._loop.shutdown_asyncgens)
        self.run(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


LISTENERS = [SyncListener, AsyncListener]
