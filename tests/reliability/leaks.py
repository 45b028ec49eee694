"""L: canary secrets, and every place that they might turn up in: logs, reprs, tracebacks, files.

Each flow of both clients runs at DEBUG in a process of its own; whatever comes out of it is kept
as text, with the local variables of every frame of a traceback, and searched for the secrets.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from interpal import AsyncInterpalClient, InterpalClient
from interpal.exceptions import InterpalException
from interpal.vault.format.key_slots import KdfParameters
from interpal.vault.hardening import harden_process
from interpal.vault.vault import Vault
from tests.reliability import Row
from tests.reliability.children import in_child, scratch
from tests.reliability.logins import Server, server
from tests.reliability.subjects import path_in
from tests.reliability.witness import (
    COOKIE,
    KEY,
    NAME,
    OTHER_PASSPHRASE,
    PASSPHRASE,
    PASSWORD,
    TOKEN,
    WRONG,
    Witness,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _client(sandbox: Server, folder: str, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "username": NAME,
        "password": PASSWORD,
        "auto_login": True,
        "persist_session": True,
        "base_url": sandbox.url,
        "session_file": path_in(folder),
        "vault_key": KEY,
        "max_retries": 0,
        "timeout": 10,
    }
    return InterpalClient(**{**options, **changes})


def log_in_and_resume(sandbox: Server, folder: str, witness: Witness) -> None:
    for _ in range(2):
        with _client(sandbox, folder, on_event=witness.hear_object) as client:
            witness.learn(client)
            for thing in (client, client.auth, client.session, client.get_session_info()):
                witness.hear_object(thing)
            client.get_self()


def a_wrong_password(sandbox: Server, folder: str, witness: Witness) -> None:
    for _ in range(2):
        _client(sandbox, folder, password=WRONG)


def a_server_that_echoes(sandbox: Server, folder: str, witness: Witness) -> None:
    body = f"no login for {NAME} with {PASSWORD}"
    sandbox.do("fault", path="/v1/token", status=500, body=body)
    _client(sandbox, folder)


def a_rate_limit(sandbox: Server, folder: str, witness: Witness) -> None:
    sandbox.do("fault", path="/v1/token", status=429, headers={"Retry-After": "600"})
    _client(sandbox, folder)


def a_connection_that_is_cut(sandbox: Server, folder: str, witness: Witness) -> None:
    sandbox.do("fault", path="/v1/token", drop=True)
    _client(sandbox, folder)


def a_time_out_of_a_call(sandbox: Server, folder: str, witness: Witness) -> None:
    with _client(sandbox, folder, timeout=0.5) as client:
        witness.learn(client)
        sandbox.do("fault", path="/v1/account/self", hang=3)
        client.get_self()


def an_ended_session(sandbox: Server, folder: str, witness: Witness) -> None:
    with _client(sandbox, folder, on_event=witness.hear_object) as client:
        witness.learn(client)
        sandbox.do("invalidate", username=NAME)
        client.get_self()
        witness.learn(client)
        witness.hear_object(client.session)


def an_ended_session_without_a_password(sandbox: Server, folder: str, witness: Witness) -> None:
    client = _client(
        sandbox, folder, password=None, session_cookie=COOKIE, auth_token=TOKEN, auto_login=False
    )
    witness.hear_object(client)
    client.get_self()


def an_import_and_a_logout(sandbox: Server, folder: str, witness: Witness) -> None:
    client = _client(sandbox, folder, auto_login=False)
    client.import_session(COOKIE, TOKEN)
    witness.hear_object(client.session)
    client.logout()
    client.import_session({"session_cookie": 7, "auth_token": TOKEN, "password": PASSWORD})


def a_damaged_vault(sandbox: Server, folder: str, witness: Witness) -> None:
    with _client(sandbox, folder) as client:
        witness.learn(client)
    with open(path_in(folder), encoding="utf-8") as file:
        outer = json.load(file)
    outer["tag"] = "A" * 21 + outer["tag"][21:]
    with open(path_in(folder), "w", encoding="utf-8") as file:
        json.dump(outer, file)
    _client(sandbox, folder, on_event=witness.hear_object).close()
    _client(sandbox, folder, password=None, auto_login=False, username="nobody")


def a_plain_file_of_1_x(sandbox: Server, folder: str, witness: Witness) -> None:
    with open(path_in(folder), "w", encoding="utf-8") as file:
        json.dump({"session_cookie": COOKIE, "auth_token": TOKEN, "username": NAME}, file)
    _client(sandbox, folder, on_event=witness.hear_object).close()
    witness.hear_file(path_in(folder))
    with open(path_in(folder), "w", encoding="utf-8") as file:
        file.write(f'{{"session_cookie": "{COOKIE}", "auth_token": "{TOKEN}", "n": nul')
    _client(sandbox, folder)


def wrong_keys(sandbox: Server, folder: str, witness: Witness) -> None:
    kdf = KdfParameters.INSECURE_FOR_TESTS
    with Vault.open(path_in(folder), passphrase=PASSPHRASE, create=True, kdf=kdf) as vault:
        vault[NAME] = {"session_cookie": COOKIE}
        for thing in (vault, vault[NAME], vault.snapshot(), vault.slots, vault._opener):
            witness.hear_object(thing)
        witness.hear_object(vault._versions.known())
        for mistake in (
            lambda: Vault.open(path_in(folder), passphrase=OTHER_PASSPHRASE),
            lambda: Vault.open(path_in(folder), key=KEY),
            lambda: Vault.open(path_in(folder), key=KEY[:31]),
            lambda: Vault.open(path_in(folder), key=KEY.decode()),
            lambda: Vault.open(path_in(folder), passphrase=PASSPHRASE + "\ud800"),
            lambda: vault.rotate({"slot-9": OTHER_PASSPHRASE}),
        ):
            _fails(mistake, witness)


def records_that_cannot_be_saved(sandbox: Server, folder: str, witness: Witness) -> None:
    secret = {"session_cookie": COOKIE}
    with Vault.open(path_in(folder), key=KEY, create=True) as vault:
        vault[NAME] = secret
        os.chmod(folder, 0o777)  # from here on nothing can be saved
        for mistake in (
            lambda: vault.__setitem__(NAME, {**secret, "n": float("nan")}),
            lambda: vault.__setitem__(NAME, {**secret, "n": 1}),
            lambda: vault.update({NAME: {**secret, "n": 1}}),
            lambda: vault.setdefault("pedro_k", secret),
            lambda: vault.pop(NAME),
            lambda: vault.rotate(),
        ):
            _fails(mistake, witness)
        os.chmod(folder, 0o700)


def sources_of_the_key(sandbox: Server, folder: str, witness: Witness) -> None:
    program = os.path.join(folder, "ask")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline > {folder}/seen\n")
        file.write(f"echo {PASSPHRASE}\n")
    os.chmod(program, 0o700)
    os.environ["INTERPALS_VAULT_PASSPHRASE_COMMAND"] = program
    with _client(sandbox, folder, vault_key=None) as client:
        witness.learn(client)
        witness.hear("argv of ours", _proc("cmdline"))
    with open(f"{folder}/seen", "rb") as seen:
        witness.hear("environment and argv of a child", seen.read().decode("latin-1"))
    os.environ["INTERPALS_VAULT_KEY"] = KEY.decode()
    _fails(lambda: Vault.open(path_in(folder)), witness)
    del os.environ["INTERPALS_VAULT_PASSPHRASE_COMMAND"]
    _fails(lambda: Vault.open(path_in(folder)), witness)
    os.environ["INTERPALS_VAULT_KEY"] = f"{KEY.hex()}00"
    _fails(lambda: Vault.open(path_in(folder)), witness)


def a_program_run_with_a_session(sandbox: Server, folder: str, witness: Witness) -> None:
    with _client(sandbox, folder) as client:
        known = client.session.session_cookie
    command = [sys.executable, "-m", "interpal.vault", "exec", "-f", path_in(folder), "--"]
    command += ["sh", "-c", "cat /proc/$$/environ /proc/$PPID/cmdline"]
    environment = {**os.environ, "INTERPALS_VAULT_KEY": KEY.hex()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert known in done.stdout, f"the session did not arrive: {done.stderr}"
    for line in (*done.stdout.split("\0"), done.stderr):
        witness.hear("environment of a program", line)


FLOWS = (
    log_in_and_resume, a_wrong_password, a_server_that_echoes, a_rate_limit,
    a_connection_that_is_cut, a_time_out_of_a_call, an_ended_session,
    an_ended_session_without_a_password, an_import_and_a_logout, a_damaged_vault,
    a_plain_file_of_1_x, wrong_keys, records_that_cannot_be_saved, sources_of_the_key,
    a_program_run_with_a_session,
)  # fmt: skip


async def async_flows(sandbox: Server, folder: str, witness: Witness) -> None:
    """The async client: logged in, ended, refused, cut off."""

    def make(**changes: Any) -> AsyncInterpalClient:
        options: dict[str, Any] = {
            "username": NAME,
            "password": PASSWORD,
            "auto_login": True,
            "persist_session": True,
            "base_url": sandbox.url,
            "session_file": path_in(folder),
            "vault_key": KEY,
            "max_retries": 0,
            "timeout": 1,
        }
        return AsyncInterpalClient(**{**options, **changes})

    async with make(on_event=witness.hear_object) as client:
        witness.learn(client)
        witness.hear_object(client)
        assert client.session is not None
        for fault in ({"drop": True}, {"status": 500, "body": client.session.session_cookie}):
            sandbox.do("fault", path="/v1/account/self", **fault)
            try:
                await client.get_self()
            except InterpalException as error:
                witness.hear_error(error)
        sandbox.do("invalidate", username=NAME)
        await client.get_self()
        witness.learn(client)
    for changes in ({"password": WRONG}, {"vault_key": OTHER_PASSPHRASE}):
        refused = make(**changes)
        try:
            await refused.alogin(force=True)
        except InterpalException as error:
            witness.hear_error(error)
        await refused.close()


def run(*, full: bool) -> Iterator[Row]:
    texts = 0
    with server(PASSWORD, delay=0.0) as sandbox:
        for flow in FLOWS:
            texts += _heard(sandbox, flow)
        texts += _heard(sandbox, lambda *given: asyncio.run(async_flows(*given)), "async client")
    yield Row(
        "L",
        f"canary secrets in {len(FLOWS) + 1} flows at DEBUG: logs, events, reprs, tracebacks with "
        "local variables, pickles, argv, environments of children, files",
        texts,
        "texts searched for each secret, as it is, in hex and base64: absent",
    )
    yield core_files()


def _heard(sandbox: Server, flow: Callable[..., None], name: str = "") -> int:
    """Run one flow in a child; how many texts of it were searched."""

    def work() -> int:
        witness = Witness()
        root = logging.getLogger()
        root.addHandler(witness)
        root.setLevel(logging.DEBUG)
        sandbox.do("reset")
        with scratch() as folder:
            _fails(lambda: flow(sandbox, folder, witness), witness)
            for entry in os.listdir(folder):
                # A plain file that was cut off is set aside as it is: nothing is deleted.
                if entry.startswith("vault") and ".corrupt-" not in entry:
                    witness.hear_file(os.path.join(folder, entry))
        return _checked(witness, name or flow.__name__)

    return int(in_child(work).said)


def _checked(witness: Witness, name: str) -> int:
    try:
        return witness.check()
    except AssertionError as leak:
        raise AssertionError(f"{name}: {leak}") from None


def _fails(work: Callable[[], object], witness: Witness) -> None:
    try:
        work()
    except (InterpalException, TypeError, ValueError, RuntimeError) as error:
        witness.hear_error(error)


def _proc(name: str) -> str:
    with open(f"/proc/self/{name}", "rb") as file:
        return file.read().decode("latin-1")


def core_files() -> Row:
    """A process that dies with a key in it; with and without `harden_process`."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii", errors="replace") as pattern:
        kept_here = not pattern.read().startswith(("|", "/"))
    found = {}
    for hardened in (False, True):
        with scratch(on_disk=True) as folder:

            def crash(folder: str = folder, *, hardened: bool = hardened) -> None:
                os.chdir(folder)
                signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # ignored in the background
                unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                resource.setrlimit(resource.RLIMIT_CORE, unlimited)
                vault = Vault.open(path_in(folder), key=KEY, create=True)
                if hardened:
                    harden_process(vault)
                os.kill(os.getpid(), signal.SIGQUIT)

            ended = in_child(crash)
            assert ended.killed_by == signal.SIGQUIT, f"it did not die of the signal: {ended}"
            cores = [name for name in os.listdir(folder) if name.startswith("core")]
            found[hardened] = [_holds(os.path.join(folder, name), KEY) for name in cores]
    assert not found[True], "a hardened process left a core file"
    if not kept_here:
        outcome = "no core file in the folder; this system sends them elsewhere"
    else:
        assert any(found[False]), "without hardening the key should have been in the core file"
        outcome = "the key is in the core file of a plain process; a hardened one leaves none"
    return Row("L", "core file of a process with an open vault", 2, outcome)


def _holds(path: str, secret: bytes) -> bool:
    with open(path, "rb") as file:
        return secret in file.read()
