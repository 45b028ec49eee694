"""A passphrase command: no shell, no stdin, never longer than it may, and nobody left behind."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from interpal._clock import monotonic
from interpal._hidden import Hidden
from interpal.exceptions import KeySourceError
from interpal.vault.keys import command, sources
from tests.sandbox.web import eventually
from tests.vault import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "INTERPALS_VAULT_PASSPHRASE_COMMAND"


def output_of(*words: str) -> bytes:
    return command.output_of(Hidden(shlex.join(words).encode()), NAME).reveal()


def shell(script: str) -> bytes:
    return output_of("sh", "-c", script)


def refused(*words: str) -> str:
    with pytest.raises(KeySourceError, match=NAME) as caught:
        output_of(*words)
    assert "c4n4ry" not in told(caught.value)
    return str(caught.value)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def pid_in(path: Path) -> int:
    assert eventually(lambda: is_complete(path)), "the command did not start"
    return int(path.read_text())


def is_complete(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def ended(pid: int) -> bool:
    return eventually(lambda: not is_running(pid))


def children_here() -> set[str]:
    """The pids of this process's children, dead ones that nobody waited for included."""
    found: set[str] = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as listed:
            found.update(listed.read().split())
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    descriptors, children = len(os.listdir("/proc/self/fd")), children_here()
    yield
    assert len(os.listdir("/proc/self/fd")) == descriptors
    # Other tests of this worker may have children of their own, such as a Redis server.
    assert children_here() <= children


def test_words_are_split_like_a_shell_would_and_run_without_one() -> None:
    said = output_of("printf", "%s|", "a b", "x$HOME", "*", "a;b", "`id`")
    assert said == b"a b|x$HOME|*|a;b|`id`|"
    text = Hidden(b"echo 'a  b' \"c\" d\\ e # f")
    assert command.output_of(text, NAME).reveal() == b"a  b c d e # f\n"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("echo $VAULT_PW", "a $VARIABLE"),
        ("echo ${VAULT_PW}", "a $VARIABLE"),
        ("cat /c4n4ry | head -1", "a pipe"),
        ("cd /c4n4ry && cat pw", "a pipe"),
        ("cat < /c4n4ry", "a redirection"),
        ("cat ~/c4n4ry", "~"),
        ("echo $(cat /c4n4ry)", "$("),
    ],
)
def test_what_only_a_shell_understands_seals_no_vault(line: str, what: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        command.output_of(Hidden(line.encode()), NAME)
    assert what in str(caught.value)
    assert "run without a shell. Write sh -c" in str(caught.value)
    assert "c4n4ry" not in str(caught.value)
    assert "VAULT_PW" not in str(caught.value)


def test_words_need_not_be_utf_8() -> None:
    assert command.output_of(Hidden(b"printf %s \xff\xfe"), NAME).reveal() == b"\xff\xfe"


def test_the_command_has_no_stdin() -> None:
    assert shell("cat; echo end") == b"end\n"


def test_the_command_does_not_see_the_variables_of_the_vault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(NAME, "x")
    monkeypatch.setenv("INTERPALS_VAULT_NEW_PASSPHRASE", "x")
    monkeypatch.setenv("INTERPALS_PASSWORD", "x")
    monkeypatch.setenv("OTHER", "y")
    seen = shell("env").decode()
    assert "INTERPALS" not in seen
    assert "OTHER=y" in seen


def test_what_it_says_on_stderr_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert shell("echo 'unlock the store' >&2; echo secret") == b"secret\n"
    out, err = capfd.readouterr()
    assert (out, err) == ("", "unlock the store\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo c4n4ry; exit 3", "exit status 3; run it in a shell to see why"),
        ("echo c4n4ry; false", "exit status 1"),
        ("echo c4n4ry; kill -9 $$", "signal 9"),
        (":", "printed nothing; it has to print the passphrase or key"),
    ],
)
def test_a_command_that_fails_is_told_by_its_status_and_not_its_output(
    script: str, reason: str
) -> None:
    assert reason in refused("sh", "-c", script)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"no-such-program c4n4ry", "'no-such-program': No such file"),
        (b"~/bin/pass c4n4ry", "'~/bin/pass': No such file"),
        (b"~/bin/pass c4n4ry", "without a shell"),
        (b"/etc/passwd c4n4ry", "'/etc/passwd': Permission denied. Name a program"),
        (b"'c4n4ry", "No closing quotation); quote it as for a shell"),
        (b"c4n4ry \\", "No escaped character"),
        (b"   ", "names no program"),
        (b"''", "cannot be run"),
        (b"echo \0c4n4ry", "NUL"),
    ],
)
def test_of_a_command_that_cannot_be_run_the_program_is_named(text: bytes, reason: str) -> None:
    with pytest.raises(KeySourceError, match=NAME) as caught:
        command.output_of(Hidden(text), NAME)
    assert reason in str(caught.value)
    assert "c4n4ry" not in told(caught.value)


def test_64_kib_are_read_and_more_are_an_error() -> None:
    assert len(shell("head -c 65536 /dev/zero")) == 65536
    assert "64 KiB" in refused("sh", "-c", "head -c 65537 /dev/zero")


def test_ten_megabytes_and_an_endless_output_are_cut_off() -> None:
    assert "64 KiB" in refused("head", "-c", "10000000", "/dev/zero")
    assert "64 KiB" in refused("yes", "c4n4ry")


def test_a_command_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pid"
    # The time is over when the command has come so far.
    monkeypatch.setattr(command, "monotonic", lambda: monotonic() + 3600 * is_complete(file))
    # The signals that a script can ignore make no difference.
    script = f"trap '' TERM INT HUP; sleep 3600 & echo $! > {file}; echo c4n4ry; wait; sleep 3600"
    assert "longer than 30 seconds" in refused("sh", "-c", script)
    assert ended(pid_in(file))


def test_a_command_that_closes_its_output_and_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "TIMEOUT_SECONDS", 0.3)
    assert "longer than" in refused("sh", "-c", "exec >&-; sleep 3600")


def test_a_child_that_keeps_the_pipe_does_not_delay_the_answer(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert shell(f"echo secret; sleep 3600 & echo $! > {file}") == b"secret\n"
    assert ended(pid_in(file)), "it is ended with the command"


def test_a_child_in_the_background_is_ended_with_the_command(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert shell(f"sleep 3600 >&- 2>&- & echo $! > {file}; echo secret") == b"secret\n"
    assert ended(pid_in(file))


def test_what_is_printed_in_pieces_is_put_together() -> None:
    assert shell("for i in 1 2 3; do printf $i; sleep 0.06; done") == b"123"


def test_an_interrupt_kills_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pid"

    def interrupt(*_arguments: object) -> object:
        pid_in(file)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_collect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        shell(f"echo $$ > {file}; sleep 3600")
    assert ended(pid_in(file))


def test_the_passphrase_is_the_output_less_one_newline() -> None:
    source = sources.find_source(environ={NAME: f"{sys.executable} -c 'print(\"correct horse\")'"})
    assert source.read().reveal() == b"correct horse"
    assert (source.kind, source.name) == ("passphrase", NAME)


def test_the_remedy_is_that_of_the_error(tmp_path: Path) -> None:
    script = tmp_path / "getpw"
    script.write_text("echo x\n")
    script.chmod(0o755)
    assert "begin with a line such as #!/bin/sh" in refused(str(script))
    script.chmod(0o644)
    assert "chmod u+x" in refused(str(script))
    assert "without a shell" not in refused(str(script))
