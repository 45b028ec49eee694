"""Run the blocks of one page, in order, as a reader would: `python -m tests.docs.run_page PAGE`.

A `python` block runs in the page's one namespace, as it stands: what a reader can copy. In a
`console` block every line that starts with `$ ` is run by bash (`> ` goes on with it), and the
lines below it are what it prints. In both, `…` stands for anything and a date or
time for any other one. There is a sandbox, an
empty home, shown as /home/you, and an empty
working directory, shown as /home/you/bot. Hidden comments before a block say more:

    <!-- setup: code -->        Python that runs first (`sandbox`, the running Sandbox, is there);
                                what it names, only a later setup can use
    <!-- raises: Name -->       the error that ends the block
    <!-- exit: 77 -->           the exit code of the last command of a console block
    <!-- file: name.py -->      the block, of any language, is saved under this name, not run
    <!-- typed: a | b -->       the commands have a terminal; what is typed at its questions
    <!-- goes on: yes -->       the command is left running until the end of the page
    <!-- not run: reason -->    the block is not run

and one after a python block:

    <!-- prints: text -->       what it prints; without a text, the next `text` block
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from interpal.sandbox import Sandbox
from tests.cli import TerminalRun
from tests.docs.markdown import Block, blocks

DOCUMENTED_PORTS = ("8473", "8474", "8475")
ACCOUNTS = {"maple_ink": "correct horse", "pedro_k": "battery staple"}


class PageError(Exception):
    """A block does not do what the page says."""


_ANY = {
    "…": ".*?",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d:\d\d(?:\.\d{6})?",
    "minute": r"\d\d [A-Z][a-z]{2} \d\d:\d\d",
}
_VARYING = re.compile("(…)|({date})|({time})|({minute})".format(**_ANY))


def matches(expected: str, printed: str) -> bool:
    """Whether *printed* is as *expected* says: `…` is anything, a date or time any other one."""
    parts = []
    at = 0
    expected = expected.strip()
    for found in _VARYING.finditer(expected):
        kind = [*_ANY.values()][(found.lastindex or 1) - 1]
        parts += [re.escape(expected[at : found.start()]), kind]
        at = found.end()
    pattern = "".join([*parts, re.escape(expected[at:])])
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def as_shown(printed: str) -> str:
    """What was printed, as if you had run it in /home/you/bot."""
    printed = printed.replace(os.getcwd(), "/home/you/bot")
    printed = printed.replace(os.environ["HOME"], "/home/you")
    return re.sub(r"(?m)^(Owner +)\S+$", r"\1you", printed)


def run_python(code: str, name: str, line: int, names: dict[str, Any]) -> None:
    """Run *code*."""
    exec(compile("\n" * (line - 1) + code, name, "exec"), names)


def run_setup(code: str, name: str, names: dict[str, Any], hidden: dict[str, Any]) -> None:
    """Run what no reader sees: it sees the page's names, and the page does not see its own."""
    scope = {**names, **hidden}
    run_python(textwrap.dedent(code), name, 1, scope)
    hidden.update((key, value) for key, value in scope.items() if names.get(key) is not value)


def run_python_block(block: Block, name: str, names: dict[str, Any]) -> str:
    """Run a python block; what it printed."""
    expected_error = block.directives.get("raises", "").strip()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            run_python(block.text, name, block.line, names)
        except Exception as error:
            if type(error).__name__ != expected_error:
                raise
            print(f"{type(error).__name__}: {error}")
        else:
            if expected_error:
                raise PageError(f"line {block.line}: did not raise {expected_error}")
    return as_shown(printed.getvalue())


def run_console_block(block: Block) -> None:
    """Run the commands of a console block and compare what they print."""
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    typed = block.directives.get("typed")
    answers = None if typed is None else [answer.strip() for answer in typed.split("|")]
    if not commands:
        raise PageError(f"line {block.line}: a console block without a `$ ` line")
    for number, command in enumerate(commands, 1):
        first, *rest = command.splitlines()
        while rest and rest[0].startswith("> "):
            first += "\n" + rest.pop(0)[2:]
        expected = "\n".join(rest)
        returned, printed = run_command(first, answers)
        is_last = number == len(commands)
        code = int(block.directives.get("exit", "0")) if is_last else 0
        if returned != code:
            raise PageError(f"line {block.line}: `{first}` exits {returned}:\n{printed}")
        if expected.strip() and not matches(expected, printed):
            raise PageError(f"line {block.line}: `{first}` prints:\n{printed}")
    if answers:
        raise PageError(f"line {block.line}: nobody asked for {answers}")


def start_command(block: Block) -> subprocess.Popen[str]:
    """Start the one command of a console block, and wait for the one line that it prints."""
    first, _, expected = block.text.removeprefix("$ ").partition("\n")
    process = subprocess.Popen(
        ["bash", "-c", f"exec env {first}"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = process.stdout.readline()
    if not matches(expected, printed):
        process.kill()
        raise PageError(f"line {block.line}: `{first}` prints:\n{printed}")
    return process


def run_command(command: str, answers: list[str] | None) -> tuple[int, str]:
    """The exit code of a shell command, and what it printed.

    With *answers* it has a terminal, and the first of them are taken for its questions; without,
    it has none, whoever runs the tests.
    """
    bash = ["bash", "-c", command]
    if answers is None:
        done = subprocess.run(
            bash, capture_output=True, text=True, timeout=120, check=False, start_new_session=True
        )
        return done.returncode, as_shown(done.stdout + done.stderr)
    with TerminalRun(bash, Path.cwd(), os.environ, 80) as terminal:
        while answers and terminal.question():
            terminal.type(answers.pop(0) + "\n")
        code = terminal.end(60)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.screen).replace("\r", "")
        # A bar of progress is there where the machine is slow, and gone in the end.
        plain = re.sub(r"(?m)^\w+ +[━╸╺]+ .*\n+", "", plain)
        # A status that turns while a busy machine takes its time is wiped away as well.
        plain = re.sub(r"[⠀-⣿] [^\n⠀-⣿]*\d:\d\d:\d\d\n?", "", plain)
        return code, as_shown(re.sub(r"(?m) +$", "", plain))


def here(page: str) -> str:
    """The page, with ports that are free: a sandbox of a reader may run on those it names."""
    for port in DOCUMENTED_PORTS:
        with socket.create_server(("127.0.0.1", 0)) as free:
            page = page.replace(port, str(free.getsockname()[1]))
    return page


def run_page(path: Path, sandbox: Sandbox) -> int:
    """Run every block of the page; how many were run."""
    hidden: dict[str, Any] = {"sandbox": sandbox}
    started: list[subprocess.Popen[str]] = []
    try:
        return run_blocks(blocks(here(path.read_text())), path.name, hidden, started)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def run_blocks(
    found: list[Block], name: str, hidden: dict[str, Any], started: list[subprocess.Popen[str]]
) -> int:
    """Run blocks in order; what goes on is added to *started*."""
    count = 0
    names: dict[str, Any] = {"__name__": "__main__"}
    for block, following in zip(found, [*found[1:], None], strict=True):
        setup = block.directives.get("setup")
        if setup:
            run_setup(setup, f"{name} (setup)", names, hidden)
        if "file" in block.directives:
            Path(block.directives["file"].strip()).write_text(block.text)
            continue
        if "not run" in block.directives or block.language not in ("python", "console"):
            continue
        count += 1
        if "goes on" in block.directives:
            started.append(start_command(block))
        elif block.language == "console":
            run_console_block(block)
        else:
            printed = run_python_block(block, name, names)
            if "prints" in block.directives:
                expected = block.directives["prints"] or (following.text if following else "")
                if not matches(textwrap.dedent(expected), printed):
                    raise PageError(f"{name}, line {block.line}: prints:\n{printed}")
    return count


def main() -> None:
    page = Path(sys.argv[1]).resolve()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Sandbox(accounts=ACCOUNTS) as sandbox:
        os.environ["INTERPALS_BASE_URL"] = sandbox.base_url
        os.environ["INTERPALS_SANDBOX_TOKEN"] = sandbox.control_token
        print(f"{page.name}: {run_page(page, sandbox)} blocks")


if __name__ == "__main__":
    main()
