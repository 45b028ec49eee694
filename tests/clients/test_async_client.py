"""What asyncio needs: no I/O in construction, no loop held, no thread held, cancellation."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal import AsyncInterpalClient
from interpal._worker import THREADS
from tests.blocking import blocking_calls
from tests.helpers import TOKEN, Place
from tests.sandbox.web import eventually, held_back

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def may_log_in(place: Place) -> Iterator[threading.Event]:
    """The server answers no login before this is set."""
    with held_back(place.site, TOKEN) as released:
        yield released


async def login_is_asked_for(place: Place) -> None:
    assert await asyncio.to_thread(eventually, lambda: place.requests(TOKEN) == 1)


WATCHED = """
import sys
from interpal import AsyncInterpalClient
from interpal._worker import THREADS
settings = dict(auto_login=True, persist_session=True)
settings.update(session_file=sys.argv[1], vault_key=b"k" * 32)
AsyncInterpalClient("maple_ink", "secret", **settings)
seen = []
watching = True
sys.addaudithook(lambda event, facts: watching and seen.append((event, facts)))
client = AsyncInterpalClient("maple_ink", "secret", **settings)
watching = False
print(*(e for e in seen if e[0].startswith(("open", "os.", "socket", "subprocess", "shutil"))))
"""


def test_construction_does_no_io(place: Place) -> None:
    place.save()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(place.path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split() == []


def test_the_first_awaited_call_resumes(place: Place) -> None:
    place.save()

    async def main() -> None:
        for first in ("get_self", "validate_session", "get_threads"):
            client = AsyncInterpalClient(**place.settings(password=None, auto_login=False))
            assert await getattr(client, first)()
            assert client.persisted
            await client.close()

    asyncio.run(main())
    assert place.logins == 1


def test_fifty_first_calls_start_once(place: Place) -> None:
    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        await asyncio.gather(*(client.get_threads() for _ in range(50)))
        await client.close()

    asyncio.run(main())
    assert place.logins == 1
    assert place.told.count("logged_in") == 1


def test_fifty_waiting_tasks_hold_neither_a_thread_nor_the_loop(
    place: Place, may_log_in: threading.Event
) -> None:
    most = 0

    async def main() -> None:
        clients = [AsyncInterpalClient(**place.settings()) for _ in range(5)]
        tasks = [asyncio.create_task(clients[i % 5].get_threads()) for i in range(50)]
        with blocking_calls() as blocking:
            await wait(tasks)
        assert blocking == []
        assert all(isinstance(task.result(), list) for task in tasks)
        for client in clients:
            await client.close()

    async def wait(tasks: list[asyncio.Task[Any]]) -> None:
        nonlocal most
        await login_is_asked_for(place)
        # The server waits for the loop: one that is held by a task would not come to the end.
        for _ in range(100):
            await asyncio.sleep(0.001)
            threads = [thread.name for thread in threading.enumerate()]
            most = max(most, sum(name.startswith("interpal_") for name in threads))
        assert not any(task.done() for task in tasks)
        may_log_in.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert place.logins == 1
    # The threads of the five clients and no more, however many tasks wait.
    assert 0 < most <= 5 * THREADS


def test_a_login_that_is_cancelled_frees_its_locks(
    place: Place, may_log_in: threading.Event
) -> None:
    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        task = asyncio.create_task(client.alogin())
        await login_is_asked_for(place)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_log_in.set()
        other = AsyncInterpalClient(**place.settings())
        await other.alogin()
        await client.get_threads()
        await client.close()
        await other.close()

    asyncio.run(main())
    assert place.told.count("logged_in") == 1


def test_a_cancellation_anywhere_leaves_nothing_held(place: Place) -> None:
    async def main() -> None:
        for delay in (0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.04):
            client = AsyncInterpalClient(**place.settings())
            task = asyncio.create_task(client.alogin(force=True))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            other = AsyncInterpalClient(**place.settings())
            await other.alogin(force=True)
            assert other.persisted
            await client.close()
            await other.close()

    asyncio.run(main())


def test_a_time_out_of_the_callers_is_kept(place: Place, may_log_in: threading.Event) -> None:
    async def main() -> None:
        client = AsyncInterpalClient(**place.settings(timeout=600))
        task = asyncio.create_task(client.get_self())
        await login_is_asked_for(place)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.1)
        await client.close()

    # All of it while the server keeps the answer back.
    asyncio.run(main())
    assert not may_log_in.is_set()


def test_a_plain_login_beside_a_task_that_logs_in_is_refused_not_hung(
    place: Place, may_log_in: threading.Event
) -> None:
    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        task = asyncio.create_task(client.get_self())
        await login_is_asked_for(place)
        with pytest.raises(RuntimeError, match="alogin"):
            client.login()
        # Another client over the same vault would wait for the same login.
        other = AsyncInterpalClient(**place.settings())
        with pytest.raises(RuntimeError, match="alogin"):
            other.login()
        # What waits for nobody is not refused.
        assert other.get_session_info() is None
        may_log_in.set()
        await other.alogin()
        assert (await task)["username"] == "maple_ink"
        client.login()
        await client.close()
        await other.close()

    asyncio.run(main())
    assert place.logins == 1


def test_plain_calls_work_inside_and_outside_of_a_loop(place: Place) -> None:
    client = AsyncInterpalClient(**place.settings(auto_login=False))
    client.login()
    info = client.get_session_info()
    assert info is not None
    assert info.username == "maple_ink"

    async def main() -> None:
        client.login()
        assert await client.aget_session_info() == client.get_session_info()
        client.import_session(client.export_session())
        assert await client.get_threads()
        client.clear_saved_session()
        await client.aclear_saved_session()

    asyncio.run(main())
    asyncio.run(client.close())
    assert place.logins == 1


def test_a_client_serves_one_loop_after_another(place: Place) -> None:
    client = AsyncInterpalClient(**place.settings())

    async def main() -> Any:
        return await client.get_self()

    for _ in range(3):
        assert asyncio.run(main())["username"] == "maple_ink"
    asyncio.run(client.close())
    assert place.logins == 1


def test_a_client_that_is_dropped_or_never_closed_warns_of_nothing(place: Place) -> None:
    kept = []

    async def main() -> None:
        client = AsyncInterpalClient(**place.settings())
        await client.get_self()
        del client
        gc.collect()
        await asyncio.sleep(0.05)
        other = AsyncInterpalClient(**place.settings())
        await other.get_self()
        kept.append(other)

    asyncio.run(main())
    kept.clear()
    gc.collect()


def test_an_error_in_async_with_closes_everything(place: Place) -> None:
    place.site.fault("/v1/token", status=503)

    async def main() -> None:
        with pytest.raises(Exception, match="503"):
            async with AsyncInterpalClient(**place.settings()):
                raise AssertionError

    asyncio.run(main())
    gc.collect()
