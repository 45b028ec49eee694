"""The server as a thread and as a process: start, several at once, and a prompt end."""

from __future__ import annotations

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from interpal.sandbox import Sandbox
from tests import certificates
from tests.sandbox.web import User, WebSocket, eventually, log_in


def start(*arguments: str, **variables: str) -> tuple[subprocess.Popen[str], str]:
    inherited = {n: text for n, text in os.environ.items() if n != "INTERPALS_SANDBOX_TOKEN"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "interpal.sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, "PYTHONUNBUFFERED": "", **variables},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_module_prints_its_url_once_it_answers_and_ends_on_a_signal(
    number: signal.Signals,
) -> None:
    process, base_url = start("--account", "maple_ink:colon:inside", "--account", "a@b.c:d")
    with process:
        form = {"username": "maple_ink", "password": "colon:inside"}
        reply = requests.post(f"{base_url}/v1/token", data=form, timeout=10)
        assert reply.status_code == 201
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert re.fullmatch("control token: [-_0-9A-Za-z]{20,}\n", err)


def test_the_module_takes_accounts_and_token_where_nobody_else_looks(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("maple_ink:from a file\n\nother:x:y\n")
    env = {
        "INTERPALS_SANDBOX_ACCOUNTS": "pedro_k:from the environment",
        "INTERPALS_SANDBOX_TOKEN": "mine",
    }
    process, base_url = start("--accounts", str(path), **env)
    with process:
        for username, password in (
            ("maple_ink", "from a file"),
            ("other", "x:y"),
            ("pedro_k", "from the environment"),
        ):
            form = {"username": username, "password": password}
            assert requests.post(f"{base_url}/v1/token", data=form, timeout=10).status_code == 201
        headers = {"Authorization": "Bearer mine"}
        stats = requests.get(f"{base_url}/_sandbox/stats", headers=headers, timeout=10)
        assert len(stats.json()["logins"]) == 3
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"from a file" not in arguments
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_module_has_a_default_account_and_its_help_says_so() -> None:
    process, base_url = start("--one-session", "--login-delay", "0.2")
    with process:
        form = {"username": "maple_ink", "password": "correct horse"}
        replies = [requests.post(f"{base_url}/v1/token", data=form, timeout=10) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [201, 201]
        assert replies[0].elapsed.total_seconds() >= 0.2
        url = f"{base_url}/v1/account/self"
        seen = [requests.get(url, cookies=r.cookies, timeout=10).status_code for r in replies]
        assert seen == [401, 200]
        process.terminate()
        process.communicate(timeout=60)
    told = subprocess.run(
        [sys.executable, "-m", "interpal.sandbox", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for account in ("maple_ink:correct horse", "pedro_k:battery staple"):
        assert account in " ".join(told.stdout.split())


def test_the_module_refuses_bad_accounts_and_a_taken_port(site: Sandbox) -> None:
    port = site.base_url.rpartition(":")[2]
    for arguments, code, text in (
        (["--account", "nopassword"], 2, "NAME:PASSWORD"),
        (["--account", "a:b", "--account", "A:c"], 1, "taken"),
        (["--port", port], 1, f"port {port} is in use; choose another with --port"),
        (["--port", "65536"], 2, "65535"),
        (["--accounts", "/no/such/file"], 1, "No such file"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "interpal.sandbox", *arguments],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (ended.returncode, ended.stdout) == (code, "")
        assert text in ended.stderr
        assert "Traceback" not in ended.stderr


def test_it_listens_on_loopback_only(site: Sandbox) -> None:
    assert site.base_url.startswith("http://127.0.0.1:")
    port = int(site.base_url.rpartition(":")[2])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=1).close()


def test_several_sandboxes_know_nothing_of_each_other(site: Sandbox) -> None:
    with Sandbox({"maple_ink": "other"}) as other:
        assert log_in(other, "maple_ink", "secret").status_code == 401
        user = User(site)
        user.base_url = other.base_url
        assert user.call("GET", "/v1/account/self").status_code == 401
        assert other.stats()["logins"] == {}
    assert site.stats()["logins"] == {"maple_ink": 1}


def test_a_taken_port_is_an_oserror(site: Sandbox) -> None:
    port = int(site.base_url.rpartition(":")[2])
    with pytest.raises(OSError), Sandbox(port=port):
        pass


def test_it_ends_whatever_hangs() -> None:
    with Sandbox({"maple_ink": "secret"}) as sandbox:
        user = User(sandbox)
        sandbox.fault("*", hang=600, times=None)
        failures: list[Exception] = []

        def wait() -> None:
            try:
                user.call("GET", "/v1/account/self")
            except requests.ConnectionError as error:
                failures.append(error)

        waiting = [threading.Thread(target=wait) for _ in range(5)]
        for thread in waiting:
            thread.start()
        assert eventually(lambda: sandbox.stats()["requests"].get("/v1/account/self") == 5)
    for thread in waiting:
        thread.join()
    assert len(failures) == 5
    assert sandbox.stats()["requests"]["/v1/account/self"] == 5


def test_it_ends_with_open_web_sockets_and_idle_connections() -> None:
    with Sandbox({"maple_ink": "secret"}) as sandbox, requests.Session() as idle:
        user = User(sandbox)
        idle.get(f"{sandbox.base_url}/v1/account/self", headers=user.headers(), timeout=10)
        with WebSocket(sandbox.base_url, f"?token={user.token}") as channel:
            sandbox.__exit__()
            assert channel.until(0x8)[:2] == b"\x03\xe9"  # 1001, going away


def test_many_threads_may_use_it_at_once(site: Sandbox) -> None:
    user = User(site)
    tid = user.get("/v1/thread")[0]["id"]

    def work() -> None:
        for _ in range(5):
            user.call("POST", "/v1/message", data={"thread_id": tid, "message": "x"})
            site.stats()
            site.messages()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len({message["id"] for message in site.messages()}) == 40
    assert site.stats()["requests"]["/v1/message"] == 40


def test_no_password_is_shown(site: Sandbox) -> None:
    shown = f"{site!r} {site} {vars(site)!r} {vars(site._site)!r}"
    assert "maple_ink" in shown
    assert "secret" not in shown
    assert "radio" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(site)


def test_it_speaks_tls_with_a_certificate_of_the_caller(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with Sandbox({"maple_ink": "secret"}, tls=(certificate, key)) as sandbox:
        assert sandbox.base_url.startswith("https://127.0.0.1:")
        form = {"username": "maple_ink", "password": "secret"}
        url = f"{sandbox.base_url}/v1/token"
        assert requests.post(url, data=form, timeout=10, verify=certificate).status_code == 201
        with pytest.raises(requests.exceptions.SSLError):
            requests.post(url, data=form, timeout=10)
        sandbox.fault("/v1/token", drop=True)
        with pytest.raises(requests.ConnectionError):
            requests.post(url, data=form, timeout=10, verify=certificate)


def test_a_missing_certificate_is_an_oserror(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(OSError), Sandbox(tls=(missing, missing)):
        pass


def make_certificate(folder: Path) -> tuple[str, str]:
    import ipaddress

    from cryptography import x509

    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return certificates.make_certificate(folder, "sandbox", address)
