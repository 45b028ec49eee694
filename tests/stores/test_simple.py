"""A store of two methods: what it promises, and what it does not."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from interpal.exceptions import (
    LockTimeoutError,
    StaleWriteError,
    VaultError,
    VaultIOError,
    VaultNotFoundError,
)
from interpal.vault import SimpleStore, Vault
from interpal.vault.files.locks import FileLock
from tests.files import fork, held_by_a_thread
from tests.stores.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from interpal.vault.stores.base import Store

KEY = bytes(range(32))


class Box:
    """A place in memory, with one step for the comparison and the change."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.fault: Exception | None = None
        self._lock = threading.Lock()

    def load(self) -> bytes | None:
        if self.fault is not None:
            raise self.fault
        return self.data

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        with self._lock:
            if self.data != if_unchanged:
                return False
            self.data = data
            return True


class LockedFile:
    """A place with everything that may be there: it keeps the whole contract."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        return self._path.read_bytes() if self._path.exists() else None

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        if self.load() != if_unchanged:
            return False
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(data)
        temporary.replace(self._path)
        return True

    def remove(self) -> None:
        self._path.unlink()

    def set_aside(self, data: bytes) -> str | None:
        if self.load() != data:
            return None
        aside = f"{self._path}.corrupt-{os.urandom(4).hex()}"
        self._path.rename(aside)
        return aside

    @contextmanager
    def write_lock(self, timeout: float) -> Generator[None, None, None]:
        lock = FileLock(str(self._path), "write.lock")
        try:
            lock.acquire(timeout)
            yield
        finally:
            lock.release()

    def login_lock(self, tag: bytes) -> FileLock:
        return FileLock(str(self._path), f"login-{tag[0] % 16:02d}.lock")


class TestWithLocks(StoreContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], Store]:
        tmp_path.chmod(0o700)
        path = tmp_path / "vault"
        return lambda: SimpleStore(LockedFile(path), str(path))


@pytest.fixture
def box() -> Box:
    return Box()


def opened(box: Box, *, create: bool = False) -> Vault:
    return Vault.open(SimpleStore(box, "a box"), key=KEY, create=create, lock_timeout=5)


def test_a_vault_lives_in_two_methods(box: Box) -> None:
    with pytest.raises(VaultNotFoundError, match="a box"):
        opened(box)
    with opened(box, create=True) as vault:
        vault["forum"] = {"token": "5d41"}
        vault["shop"] = {"token": "77ab"}
        del vault["shop"]
    with opened(box) as vault:
        assert dict(vault) == {"forum": {"token": "5d41"}}
        vault.rotate()
        del vault["forum"]
        vault.remove_file()
    assert not box.data


def test_who_saves_second_is_told_and_nothing_is_lost(box: Box) -> None:
    with opened(box, create=True) as one, opened(box) as two:
        with pytest.raises(StaleWriteError, match="try again"), one.transaction() as records:
            two["b"] = {"n": 2}
            records["a"] = {"n": 1}
        assert dict(one) == {"b": {"n": 2}}
        one["a"] = {"n": 1}
        assert dict(two) == {"a": {"n": 1}, "b": {"n": 2}}


def test_two_that_make_it_at_once_make_one(box: Box) -> None:
    stores = [SimpleStore(box, "a box") for _ in range(2)]
    with stores[0].write_lock(1) as first, stores[1].write_lock(1) as second:
        assert first.load() is None
        assert second.load() is None
        first.save(b"one")
        with pytest.raises(StaleWriteError):
            second.save(b"two")
    assert box.data == b"one"


def test_threads_wait_for_each_other(box: Box) -> None:
    with opened(box, create=True) as vault:

        def save(number: int) -> None:
            for step in range(10):
                vault[f"{number} {step}"] = {"n": step}

        threads = [threading.Thread(target=save, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(vault) == 60
    store = SimpleStore(box, "a box")
    with store.write_lock(0), pytest.raises(LockTimeoutError), store.write_lock(0):
        pass


def test_one_thread_of_the_process_logs_in(box: Box) -> None:
    with opened(box, create=True) as one, opened(box) as two:
        first, second = one.login_lock("forum"), two.login_lock("forum")
        assert first.try_acquire()
        assert not second.try_acquire()
        assert second.holder()
        second.release()
        assert not second.try_acquire()
        first.release()
        assert second.try_acquire()
        second.release()


def test_what_the_system_says_is_an_error_of_the_vault(box: Box) -> None:
    opened(box, create=True).close()
    box.fault = ConnectionError("no route")
    with pytest.raises(VaultIOError, match="a box: no route"):
        opened(box)


@pytest.mark.parametrize("fault", [KeyError("bucket"), StopIteration(), IndexError()])
def test_what_a_place_raises_is_not_taken_for_a_record_that_is_not_there(
    box: Box, fault: Exception
) -> None:
    ways: list[Callable[[Vault], object]] = [
        lambda vault: vault.get("forum", "none"),
        lambda vault: vault["forum"],
        lambda vault: "forum" in vault,
        lambda vault: list(vault.items()),
        lambda vault: vault.pop("forum", None),
    ]
    with Vault.open(SimpleStore(box, "box"), key=KEY, create=True) as vault:
        for way in ways:
            box.fault = fault
            # Python makes a RuntimeError of what would end a generator.
            with pytest.raises((type(fault), RuntimeError)):
                way(vault)
            box.fault = None
        assert vault.get("forum", "none") == "none"
        assert "forum" not in vault


def test_a_damaged_vault_is_left_where_it_is(box: Box) -> None:
    opened(box, create=True).close()
    assert box.data is not None
    box.data = box.data[:-30] + b"A" * 29 + b"}"
    damaged = box.data
    store = SimpleStore(box, "a box")
    found = store.load()
    assert found is not None
    with store.write_lock(1) as writer, pytest.raises(VaultIOError, match="move it away"):
        writer.set_aside(found)
    with pytest.raises(VaultError):
        opened(box)
    assert box.data == damaged


def test_a_child_that_is_forked_amid_a_change_of_another_thread_can_change_too() -> None:
    store = SimpleStore(Box(), "box")
    with held_by_a_thread(store.write_lock(0)):
        pid = fork()
        if pid == 0:
            try:
                with Vault.open(store, key=KEY, create=True, lock_timeout=0.1) as vault:
                    vault["a"] = {"n": 1}
                    os._exit(0 if vault["a"] == {"n": 1} else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
