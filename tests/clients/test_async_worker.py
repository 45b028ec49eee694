"""An asyncio client has threads of its own: what others do to theirs stalls nothing of it."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from interpal import AsyncInterpalClient, InterpalClient
from interpal._worker import Worker
from interpal.session_manager import SessionManager
from tests.helpers import SELF, TOKEN, AsyncDriver, Place
from tests.sandbox.web import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interpal.sessions.events import Event
    from tests.helpers import Driver


def test_a_default_executor_that_is_full_stalls_nothing(place: Place) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        release = threading.Event()
        async with AsyncInterpalClient(**place.settings()) as client:
            blocked = [loop.run_in_executor(None, release.wait, 60) for _ in range(4)]
            assert (await client.get_self())["username"] == "maple_ink"
            await client.put("/v1/settings/self", data=iter([b"{", b"}"]))
            release.set()
            await asyncio.gather(*blocked)

    asyncio.run(main())


def test_synchronous_code_that_waits_for_calls_in_every_thread_of_the_loop_is_served(
    place: Place,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncInterpalClient(**place.settings()) as client:

            def call() -> Any:
                return asyncio.run_coroutine_threadsafe(client.get_self(), loop).result(60)

            count = min(32, (os.cpu_count() or 1) + 4)
            results = await asyncio.gather(*(asyncio.to_thread(call) for _ in range(count)))
            assert len(results) == count

    asyncio.run(main())


def test_synchronous_clients_in_threads_beside_an_async_login_share_it(place: Place) -> None:
    place.site.fault(TOKEN, hang=0.5, after=True)

    def log_in_here() -> str | None:
        with InterpalClient(**place.settings()) as client:
            return client.login().username

    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        login = asyncio.create_task(client.alogin())
        count = min(32, (os.cpu_count() or 1) + 4)
        names = await asyncio.gather(*(asyncio.to_thread(log_in_here) for _ in range(count)))
        assert set(names) == {"maple_ink"}
        assert (await login).username == "maple_ink"
        await client.close()

    asyncio.run(main())
    assert place.logins == 1


def test_a_step_that_runs_does_not_hold_back_the_time_out_of_its_task(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.save()
    entered, release = threading.Event(), threading.Event()
    find = SessionManager.find

    def held_up(manager: SessionManager, *arguments: Any, **settings: Any) -> Any:
        entered.set()
        release.wait(60)
        return find(manager, *arguments, **settings)

    monkeypatch.setattr(SessionManager, "find", held_up)

    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        call = asyncio.create_task(client.get_self())
        assert await asyncio.to_thread(entered.wait, 60)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call, 0.1)
        assert not release.is_set()
        closing = asyncio.create_task(client.close())
        for _ in range(100):
            await asyncio.sleep(0.001)
        # The step that was left is waited for, and nothing comes of it.
        assert not closing.done()
        release.set()
        await closing
        assert not client.is_authenticated

    asyncio.run(main())
    assert place.requests() == 0
    assert place.told == ["session_loaded"]


def test_a_login_whose_task_is_cancelled_is_not_saved(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release = threading.Event(), threading.Event()
    put = SessionManager.put

    def held_up(manager: SessionManager, *arguments: Any, **settings: Any) -> Any:
        entered.set()
        release.wait(60)
        return put(manager, *arguments, **settings)

    monkeypatch.setattr(SessionManager, "put", held_up)

    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        task = asyncio.create_task(client.alogin())
        assert await asyncio.to_thread(entered.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await client.close()

    asyncio.run(main())
    assert place.names() == []
    with InterpalClient(**place.settings()) as later:
        assert later.is_authenticated


def test_a_cancelled_step_that_has_not_begun_does_not_begin(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release = threading.Event(), threading.Event()
    finds: list[str] = []
    find = SessionManager.find

    def held_up(manager: SessionManager, username: str | None = None, **settings: Any) -> Any:
        finds.append(threading.current_thread().name)
        entered.set()
        release.wait(60)
        return find(manager, username, **settings)

    monkeypatch.setattr(SessionManager, "find", held_up)
    monkeypatch.setattr("interpal._worker.THREADS", 1)
    place.save()

    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        first = asyncio.create_task(client.get_self())
        assert await asyncio.to_thread(entered.wait, 60)
        second = asyncio.create_task(client.validate_session())
        executor = client._worker._executor
        assert executor is not None
        assert await asyncio.to_thread(eventually, lambda: executor._work_queue.qsize() == 1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert not first.done()
        release.set()
        assert (await first)["username"] == "maple_ink"
        await client.close()

    asyncio.run(main())
    assert len(finds) == 1


def test_a_body_from_an_iterator_is_not_read_in_the_loop(place: Place) -> None:
    readers: set[int] = set()

    def pieces() -> Iterator[bytes]:
        for piece in (b"{", b"}"):
            readers.add(threading.get_ident())
            yield piece

    async def main() -> None:
        async with AsyncInterpalClient(**place.settings()) as client:
            await client.put("/v1/settings/self", data=pieces())

    asyncio.run(main())
    assert readers
    assert threading.get_ident() not in readers


def test_a_hook_that_uses_its_client_is_told_that_it_may_not(driver: Driver, place: Place) -> None:
    told: list[str] = []
    holder: list[Any] = []

    def hook(event: Event) -> None:
        if event.name != "login_started":
            return
        for name in ("get_self", "login", "close"):
            with pytest.raises(RuntimeError) as caught:
                call = getattr(holder[0], name)()
                if isinstance(driver, AsyncDriver) and inspect.iscoroutine(call):
                    asyncio.run_coroutine_threadsafe(call, driver.loop).result(60)
            told.append(str(caught.value))

    client = driver.client_class(**place.settings(auto_login=False, on_event=hook))
    holder.append(client)
    driver.run(client, "login")
    assert len(told) == 3
    assert all("on_event must not use its client" in text for text in told)
    assert client.is_authenticated
    driver.close(client)


def test_the_awaited_methods_are_coroutine_functions_to_inspect() -> None:
    plain = {"login", "import_session", "export_session", "get_session_info", "clear_saved_session"}
    client = AsyncInterpalClient("maple_ink", "x", base_url="http://127.0.0.1:1")
    for name in ("get_self", "send_message", "alogin", "aget_session_info", "close", "request"):
        for owner in (client, AsyncInterpalClient):
            assert inspect.iscoroutinefunction(getattr(owner, name)), name
            assert asyncio.iscoroutinefunction(getattr(owner, name)), name
    for name in plain:
        assert not inspect.iscoroutinefunction(getattr(client, name)), name
    assert inspect.iscoroutinefunction(client.messages.send_message)
    assert not inspect.iscoroutinefunction(InterpalClient.get_self)


@pytest.mark.parametrize("make", [mock.MagicMock, mock.AsyncMock, mock.create_autospec])
def test_a_mock_of_the_asyncio_client_is_awaited(make: Any) -> None:
    how = {"instance": True} if make is mock.create_autospec else {}
    double = make(AsyncInterpalClient, **how) if how else make(spec=AsyncInterpalClient)
    double.get_self.return_value = {"name": "Runa"}

    async def main() -> Any:
        return await double.get_self()

    assert asyncio.run(main()) == {"name": "Runa"}


def test_a_mock_of_the_client_knows_the_signatures() -> None:
    double = mock.create_autospec(InterpalClient, instance=True)
    double.send_message.return_value = {}
    assert double.send_message("1", "hello") == {}
    with pytest.raises(TypeError):
        double.send_message(1, 2, 3, 4, 5, nonsense=1)
    with mock.patch.object(InterpalClient, "get_self", autospec=True, return_value={"name": "x"}):
        assert InterpalClient("a").get_self() == {"name": "x"}


def test_what_was_cancelled_leaves_nothing_behind(place: Place) -> None:
    async def main() -> None:
        place.site.fault(SELF, hang=1)
        client = AsyncInterpalClient(**place.settings())
        tasks = [asyncio.create_task(client.get_self()) for _ in range(5)]
        await asyncio.to_thread(eventually, lambda: place.requests(SELF) > 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()
        assert not client._context.pending

    asyncio.run(main())


def test_what_stops_an_iteration_in_a_thread_reaches_the_task() -> None:
    worker = Worker()

    async def stop() -> None:
        # A future cannot carry it: the task would wait for ever. Python does the same (PEP 479).
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            await worker.run(partial(next, iter(())))
        assert isinstance(caught.value.__cause__, StopIteration)
        await worker.close()

    asyncio.run(asyncio.wait_for(stop(), 60))
