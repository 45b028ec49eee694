"""Replies that were already seen: one object for each, statistics, clearing, limits."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interpal import InterpalClient, ValidationError
from interpal.api.cache import Cache
from interpal.api.replies import Message, Profile, Thread
from interpal.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts={"maple_ink": "secret", "pedro_k": "radio"}) as sandbox:
        yield sandbox


@pytest.fixture
def make(sandbox: Sandbox) -> Iterator[Callable[..., InterpalClient]]:
    made: list[InterpalClient] = []

    def client(**settings: Any) -> InterpalClient:
        made.append(
            InterpalClient(
                "maple_ink", "secret", auto_login=True, base_url=sandbox.base_url, **settings
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_a_user_that_was_seen_is_the_same_object(make: Callable[..., InterpalClient]) -> None:
    client = make()
    first = client.get_user("self", extra="relation")
    assert client.get_user("self") is first
    thread = client.get_threads()[0]
    assert client.get_threads()[0] is thread
    assert client.get_cached_user(thread.user.id if thread.user else "") is thread.user
    sent = client.send_message(thread.id, "Hello")
    assert client.get_thread_messages(thread.id)[0] is sent
    assert client.get_cached_message(sent.id) is sent
    assert client.get_cached_user("17") is client.get_cached_message("17") is None


def test_what_nobody_uses_any_more_is_forgotten(make: Callable[..., InterpalClient]) -> None:
    client = make()
    client.get_user("self")
    gc.collect()
    assert client.get_cache_stats()["cache_sizes"]["profiles"] == 0
    held = make(weak_references=False)
    held.get_user("self")
    gc.collect()
    assert held.get_cache_stats()["cache_sizes"]["profiles"] == 1


def test_the_statistics_count(make: Callable[..., InterpalClient]) -> None:
    client = make()
    threads = client.get_threads()
    again = client.get_threads()
    stats = client.get_cache_stats()
    assert again == threads
    assert stats["objects_created"] == stats["cache_misses"] == 4  # two threads, two people
    assert stats["objects_updated"] == stats["cache_hits"] == 4
    assert stats["hit_rate"] == 0.5
    none = dict.fromkeys(("profiles", "messages", "photos", "albums", "posts"), 0)
    assert stats["cache_sizes"] == {"users": 2, "threads": 2, **none}
    client.state.reset_stats()
    assert client.get_cache_stats()["objects_created"] == 0


def test_clearing_forgets(make: Callable[..., InterpalClient]) -> None:
    client = make(weak_references=False)
    client.get_thread_messages(client.get_threads()[0].id)
    client.clear_message_cache()
    sizes = client.get_cache_stats()["cache_sizes"]
    assert (sizes["messages"], sizes["threads"], sizes["users"] > 0) == (0, 0, True)
    client.clear_user_cache()
    client.upload_photo(b"1")
    client.clear_caches()
    assert set(client.get_cache_stats()["cache_sizes"].values()) == {0}


def test_a_cache_that_is_switched_off_keeps_nothing(make: Callable[..., InterpalClient]) -> None:
    client = make(cache_users=False, cache_threads=False)
    assert client.get_user("self") is not client.get_user("self")
    assert client.get_threads()[0] is not client.get_threads()[0]


def test_only_so_many_messages_are_kept_the_oldest_goes_first() -> None:
    gone: list[tuple[str, str]] = []
    cache = Cache(max_messages=2)
    cache.add_cache_handler("eviction", lambda kind, identity: gone.append((kind, identity)))
    for number in "123":
        cache.create_message({"id": number})
        cache.get_cached_message("1")
    assert gone == [("message", "2")]
    assert cache.get_cache_stats()["evictions"] == 1
    cache.update_config(max_messages=0)
    assert gone == [("message", "2"), ("message", "3"), ("message", "1")]
    assert cache.get_cached_message("3") is None
    cache.update_config(cache_users=False, cache_threads=False)
    assert cache.create_thread({"id": "1"}) is not cache.create_thread({"id": "1"})


def test_a_handler_is_told_of_new_objects_and_its_faults_harm_nothing() -> None:
    cache = Cache()
    seen: list[Any] = []
    cache.add_creation_handler("user", seen.append)
    cache.add_creation_handler("thread", lambda _thread: 1 / 0)
    cache.add_cache_handler("hit", lambda *what: seen.append(what))
    cache.add_cache_handler("miss", lambda *what: seen.append(what))
    thread = cache.create_thread({"id": "1", "user": {"id": "2"}})
    assert seen == [("user", "2"), {"id": "2"}, ("thread", "1")] or seen[1] == thread.user
    cache.create_thread({"id": "1"})
    assert seen[-1] == ("thread", "1")
    with pytest.raises(ValidationError, match="object_type"):
        cache.add_creation_handler("cat", print)
    with pytest.raises(ValidationError, match="event_type"):
        cache.add_cache_handler("lunch", print)


@pytest.mark.parametrize("value", [-1, 1.5, True, "many", 10**10])
def test_a_wrong_number_of_messages_is_named(value: Any) -> None:
    with pytest.raises(ValidationError, match="max_messages"):
        InterpalClient(max_messages=value)


def test_what_one_account_saw_another_does_not_see(make: Callable[..., InterpalClient]) -> None:
    client = make(weak_references=False)
    mine = client.get_threads()[0]
    client.login("pedro_k", "radio")
    assert client.get_cached_user(mine.user.id if mine.user else "") is None
    theirs = client.get_threads()
    assert all(thread is not mine for thread in theirs)


def test_many_threads_may_use_it_at_once() -> None:
    cache = Cache(max_messages=50, weak_references=False)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(2000):
                user = {"id": str(number % 7)}
                cache.make(Message, {"id": str(number % 90), "sender": user})
                cache.make(Thread, {"id": str(number % 11), "user": user})
                cache.make(Profile, {"id": str(number % 5)})
        except BaseException as error:  # noqa: BLE001  (shown below)
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors
    stats = cache.get_cache_stats()
    assert stats["objects_created"] - stats["evictions"] == sum(stats["cache_sizes"].values())


def test_a_child_of_a_fork_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    from interpal.api import cache as module

    cache, held, done = Cache(), threading.Event(), threading.Event()

    def hold() -> None:
        with module.guard():
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        cache.create_user({"id": "1"})
        os._exit(0)
    done.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
