"""Handlers: what they are called with, that none delays another, and what becomes of errors."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal.exceptions import ValidationError
from interpal.live import handlers
from interpal.live.client import LiveEvents
from interpal.live.handlers import Dispatcher, Handlers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run(work: Callable[[Dispatcher], Awaitable[None]], them: Handlers, **settings: Any) -> None:
    async def main() -> None:
        dispatcher = Dispatcher(them, **settings)
        try:
            await work(dispatcher)
        finally:
            await dispatcher.close(5)

    asyncio.run(main())


def test_what_a_handler_raised_last_is_told_though_it_is_closed_at_once() -> None:
    them, errors = Handlers(), list[str]()
    ended = threading.Event()

    def faulty(event: int) -> None:
        raise LookupError(f"fault {event}")

    them.add("on_message", faulty)
    them.add("on_error", lambda error, event: errors.append(str(error)))

    async def work(dispatcher: Dispatcher) -> None:
        dispatcher.hand_out("THREAD_NEW_MESSAGE", 1)
        # The thread is through with it before the loop has another turn.
        (lane,) = dispatcher._all_lanes()
        while lane.unfinished:
            ended.wait(0.001)

    run(work, them, threads=True)
    assert errors == ["fault 1"]


def test_a_handler_is_given_as_much_as_it_takes() -> None:
    them = Handlers()
    heard: list[tuple[Any, ...]] = []

    async def nothing() -> None:
        heard.append(())

    async def one(event: Any) -> None:
        heard.append((event,))

    async def maybe(event: Any = None) -> None:
        heard.append((event,))

    async def all_of_it(*events: Any) -> None:
        heard.append(events)

    for function in (nothing, one, maybe, all_of_it):
        them.add("on_message", function)
        them.add("on_message", function)

    async def work(dispatcher: Dispatcher) -> None:
        dispatcher.hand_out("THREAD_NEW_MESSAGE", "hello")

    run(work, them)
    assert heard == [(), ("hello",), ("hello",), ("hello",)]


def test_a_frame_is_heard_under_each_of_its_names_and_as_a_frame() -> None:
    them, heard = Handlers(), []
    for name in ("on_message", "on_thread_new_message", "on_frame", "on_status", "on_typing"):
        them.add(name, lambda event, name=name: heard.append((name, event)))

    async def work(dispatcher: Dispatcher) -> None:
        dispatcher.hand_out("THREAD_NEW_MESSAGE", 1)
        dispatcher.hand_out("status", 2)
        dispatcher.hand_out("never_seen", 3)

    run(work, them)
    assert sorted(heard) == [
        ("on_frame", 1),
        ("on_frame", 2),
        ("on_frame", 3),
        ("on_message", 1),
        ("on_status", 2),
        ("on_thread_new_message", 1),
    ]


@pytest.mark.parametrize("threads", [False, True])
def test_a_slow_handler_delays_its_own_events_alone(threads: bool) -> None:
    them = Handlers()
    slow: list[int] = []
    quick: list[int] = []
    gate = threading.Event()
    opened, all_quick = asyncio.Event(), asyncio.Event()
    loop: asyncio.AbstractEventLoop

    async def slowly(event: int) -> None:
        await opened.wait()
        slow.append(event)

    def slowly_in_a_thread(event: int) -> None:
        gate.wait(60)
        slow.append(event)

    them.add("on_message", slowly_in_a_thread if threads else slowly)

    def quickly(event: int) -> None:
        quick.append(event)
        if len(quick) == 50:
            loop.call_soon_threadsafe(all_quick.set)

    them.add("on_message", quickly)

    async def work(dispatcher: Dispatcher) -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        for number in range(50):
            dispatcher.hand_out("THREAD_NEW_MESSAGE", number)
        await asyncio.wait_for(all_quick.wait(), 60)
        assert slow == []
        gate.set()
        opened.set()

    run(work, them, threads=threads)
    assert slow == quick == list(range(50))


@pytest.mark.parametrize("threads", [False, True])
def test_what_waits_for_a_handler_is_bounded(
    threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "MOST_WAITING", 10)
    them, heard = Handlers(), []
    gate = threading.Event()
    opened = asyncio.Event()

    async def slowly(event: int) -> None:
        await opened.wait()
        heard.append(event)

    def slowly_in_a_thread(event: int) -> None:
        gate.wait(60)
        heard.append(event)

    them.add("on_message", slowly_in_a_thread if threads else slowly)

    async def work(dispatcher: Dispatcher) -> None:
        handed_out = 0
        for _ in range(12):
            if dispatcher.crowded:
                break
            dispatcher.hand_out("THREAD_NEW_MESSAGE", handed_out)
            handed_out += 1
            await asyncio.sleep(0)
        assert dispatcher.crowded
        assert handed_out >= 10
        room = asyncio.ensure_future(dispatcher.room())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not room.done()
        gate.set()
        opened.set()
        await asyncio.wait_for(room, 60)
        assert len(heard) >= 5

    run(work, them, threads=threads)


@pytest.mark.parametrize("threads", [False, True])
def test_what_a_handler_raises_goes_to_on_error_and_its_events_go_on(threads: bool) -> None:
    them, errors, heard = Handlers(), [], []

    def faulty(event: int) -> None:
        heard.append(event)
        raise LookupError(f"fault {event}")

    them.add("on_message", faulty)
    them.add("on_error", lambda error, event: errors.append((str(error), event)))

    async def work(dispatcher: Dispatcher) -> None:
        for number in (1, 2):
            dispatcher.hand_out("THREAD_NEW_MESSAGE", number)

    run(work, them, threads=threads)
    assert heard == [1, 2]
    assert errors == [("fault 1", 1), ("fault 2", 2)]


def test_where_nobody_hears_of_errors_the_log_does(caplog: pytest.LogCaptureFixture) -> None:
    them = Handlers()

    async def faulty(error: Any) -> None:
        raise LookupError("even here")

    them.add("on_message", faulty)

    async def work(dispatcher: Dispatcher) -> None:
        dispatcher.hand_out("THREAD_NEW_MESSAGE", 1)
        dispatcher.trouble(OSError("the line is dead"))

    with caplog.at_level(logging.WARNING, logger="interpal"):
        run(work, them)
        them.remove("on_message", faulty)
        them.add("on_error", faulty)
        run(work, them)
    shown = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "OSError: the line is dead") in shown
    raised = [record for record in caplog.records if "faulty raised" in record.getMessage()]
    assert len(raised) == 2
    assert all(record.exc_info and "even here" in str(record.exc_info[1]) for record in raised)


def test_a_task_that_a_handler_waited_for_may_be_cancelled() -> None:
    them, heard, errors = Handlers(), [], []

    async def handler(event: int) -> None:
        heard.append(event)
        if event == 1:
            sleeping = asyncio.ensure_future(asyncio.sleep(60))
            asyncio.get_running_loop().call_soon(sleeping.cancel)
            await sleeping

    them.add("on_message", handler)
    them.add("on_error", lambda error, event: errors.append(event))

    async def work(dispatcher: Dispatcher) -> None:
        for number in (1, 2):
            dispatcher.hand_out("THREAD_NEW_MESSAGE", number)

    run(work, them)
    assert (heard, errors) == ([1, 2], [1])


def test_handlers_that_do_not_end_are_ended(caplog: pytest.LogCaptureFixture) -> None:
    them, ended = Handlers(), []

    async def endless(event: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(event)

    them.add("on_message", endless)

    async def main() -> None:
        dispatcher = Dispatcher(them)
        dispatcher.hand_out("THREAD_NEW_MESSAGE", 1)
        await dispatcher.close(0.05)

    with caplog.at_level(logging.WARNING, logger="interpal"):
        asyncio.run(main())
    assert ended == [1]
    assert "still running after 0.05 seconds" in caplog.text


def test_names_of_events() -> None:
    live = LiveEvents(None)  # type: ignore[arg-type]

    @live.event
    def on_message(event: Any) -> None: ...

    @live.event("on_typing")
    def typing(event: Any) -> None: ...

    @live.event("notification")
    def notified(event: Any) -> None: ...

    @live.event()
    def on_ready() -> None: ...

    live.register_event("on_message", typing)
    assert live.handlers.of("on_message") == [on_message, typing]
    assert live.handlers.of("on_typing") == [typing]
    assert live.handlers.of("on_notification") == [notified]
    assert live.handlers.of("on_ready") == [on_ready]
    with pytest.raises(ValidationError, match="on_event= is an argument"):
        live.event("on_event")(typing)
    for name in ("", "on message", 7):
        with pytest.raises(ValidationError, match="event"):
            live.event(name)(typing)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="on_message: expected a function"):
        live.register_event("on_message", "handler")  # type: ignore[arg-type]
