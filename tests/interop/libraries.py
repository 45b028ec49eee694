"""The libraries, each in a process of its own that does what it is told."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from typing import IO, TYPE_CHECKING, Any

from tests.interop import FOLDER, HERE, debian_jose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READERS = HERE / "readers"


class Refused(Exception):  # noqa: N818  (an answer, not a fault)
    """The library did not do it; the text is its own."""


class Library:
    """One library: `name` as the table has it, `module` the one in `readers/`.

    `python` runs a module of Python, from the environment of `make interop` if none is given.
    """

    def __init__(self, name: str, module: str, python: Path | str | None = None) -> None:
        self.name = name
        self.module = module
        self._python = python or FOLDER / "venv/bin/python"
        self._process: subprocess.Popen[str] | None = None

    @property
    def version(self) -> str:
        """The version that is pinned; a program of Debian has that of the system."""
        return pinned().get(self.name.removeprefix("npm ").lower(), "of the system")

    def ask(self, do: str, *, key: bytes = b"", **asked: Any) -> Any:
        """The answer of the library. Raises `Refused`."""
        if self.module == "debian_jose.py":
            return self._run(do, key, asked)
        line = json.dumps({"do": do, "key": base64.b64encode(key).decode(), **asked})
        asking, answering = self._pipes()
        print(line, file=asking, flush=True)
        answer = json.loads(answering.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _run(self, do: str, key: bytes, asked: dict[str, Any]) -> Any:
        try:
            if "text" in asked:
                return getattr(debian_jose, do)(asked["text"], key).decode()
            return getattr(debian_jose, do)(asked["header"], asked["plaintext"].encode(), key)
        except (ValueError, AttributeError) as error:
            raise Refused(str(error)) from None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def _command(self) -> list[str]:
        if self.module.endswith(".py"):
            serve = str(READERS / "serve.py")
            return [str(self._python), serve, self.module.removesuffix(".py")]
        from tests.interop.install import NODE

        # A module finds the libraries above the folder that it is in.
        for path in READERS.glob("*.mjs"):
            shutil.copy(path, FOLDER)
        return [str(NODE), str(FOLDER / "serve.mjs"), f"./{self.module}"]


LIBRARIES = (
    Library("jwcrypto", "with_jwcrypto.py"),
    Library("joserfc", "with_joserfc.py"),
    Library("Authlib", "with_authlib.py"),
    Library("python-jose", "with_python_jose.py"),
    Library("npm jose", "with_jose.mjs"),
    Library("node-jose", "with_node_jose.mjs"),
    Library("Debian `jose`", "debian_jose.py"),
)


def pinned() -> dict[str, str]:
    """The versions of the libraries, by their names in small letters."""
    lines = (HERE / "requirements.in").read_text().splitlines()
    found = dict(re.sub(r"\[.*\]", "", line).split("==") for line in lines if "==" in line)
    found |= json.loads((HERE / "package.json").read_text())["dependencies"]
    return {name.lower(): version for name, version in found.items()}


def shown(source: str) -> Iterator[str]:
    """The parts of a module that the page shows."""
    pattern = r"^(?:#|//) begin: shown\n(.*?)\s*^(?:#|//) end: shown$"
    return iter(re.findall(pattern, source, re.DOTALL | re.MULTILINE))
