"""Questions to the person at the terminal: on /dev/tty, never stdin, and secrets never echoed."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, NoReturn

from interpal._hidden import Hidden
from interpal.exceptions import KeyRequiredError, ValidationError
from interpal.vault.format.key_slots import normalise_passphrase

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

TRIES = 3
SHORT = 8
"""Characters of a passphrase below which a person is warned."""
_LINE_LIMIT = 65536


class _Stopped(BaseException):
    """A signal that ends the process came while the echo was off."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class NoAnswerError(KeyRequiredError):
    """The terminal has no more input: it was closed, or Ctrl-D was pressed."""


class Terminal:
    """The terminal that controls this process. A context manager."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_quiet = False

    @classmethod
    def open(cls) -> Terminal | None:
        """None where there is none: a service, cron, a container without one."""
        try:
            fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return None
        return cls(fd)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *problem: object) -> None:
        os.close(self._fd)

    def tell(self, message: str) -> None:
        """A line to the person, and to nobody's log."""
        self._write(f"{message}\n")

    def ask(self, question: str) -> str:
        """A line of text, without what stands around it. `NoAnswerError` where input has ended."""
        self._write(question)
        return self._line().reveal().decode("utf-8", "replace").strip()

    def ask_secret(self, question: str) -> Hidden[bytes]:
        """The bytes of a line that is not shown, and may be empty. Raises `NoAnswerError`."""
        with nullcontext() if self._is_quiet else self._without_echo():
            self._write(question)
            try:
                return self._line()
            finally:
                self._write("\n")

    @contextmanager
    def quiet(self) -> Generator[None, None, None]:
        """No echo inside the block: what is typed while an answer is tried is not shown either.

        It is the answer to the next question, if there is one.
        """
        with self._without_echo():
            self._is_quiet = True
            try:
                yield
            finally:
                self._is_quiet = False

    def ask_passphrase(self, question: str) -> str | None:
        """A passphrase that is there already; None where just Enter was pressed."""
        for _ in range(TRIES):
            line = self.ask_secret(question)
            if not line.reveal():
                return None
            text = self._checked(line)
            if text is not None:
                return text
        raise ValidationError("no passphrase was given; nothing was changed")

    def ask_new_passphrase(self, whose: str) -> str:
        """A passphrase that is to be, typed twice. `ValidationError` after three tries."""
        for _ in range(TRIES):
            text = self._checked(self.ask_secret(f"New passphrase for {whose}: "))
            if text is None:
                continue
            if len(text) < SHORT:
                self.tell(f"That is short: one of less than {SHORT} characters is soon guessed.")
            if self.ask_secret("Repeat passphrase: ") == Hidden(text.encode()):
                return text
            self.tell("The passphrases do not match.")
        raise ValidationError("no new passphrase was given; nothing was changed")

    def _checked(self, line: Hidden[bytes]) -> str | None:
        """The text of a line, if it is a passphrase; else the reason why not is shown."""
        try:
            text = line.reveal().decode()
            normalise_passphrase(text)
        except UnicodeDecodeError:
            self.tell("Not valid UTF-8.")
        except ValidationError as error:
            self.tell(f"Not usable: {error}.")
        else:
            return text
        return None

    def _write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            data = data[os.write(self._fd, data) :]

    def _line(self) -> Hidden[bytes]:
        line = Hidden(b"")
        while not line.reveal().endswith(b"\n"):
            piece = Hidden(os.read(self._fd, 4096))
            if not piece.reveal():
                raise NoAnswerError("no answer from the terminal; nothing was changed")
            line = Hidden(line.reveal() + piece.reveal())
            if len(line.reveal()) > _LINE_LIMIT:
                raise ValidationError(
                    f"the answer is longer than {_LINE_LIMIT} bytes; nothing was changed"
                )
        return Hidden(line.reveal()[:-1])

    @contextmanager
    def _without_echo(self) -> Generator[None, None, None]:
        """No echo inside the block; whatever ends it, the terminal is as it was before."""
        old = termios.tcgetattr(self._fd)
        quiet = termios.tcgetattr(self._fd)
        quiet[3] &= ~(termios.ECHO | termios.ECHONL)
        stopped = 0
        # Ctrl-C raises by itself; these would end the process before the echo is on again.
        signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
        # A signal that was ignored before (`nohup`) stays ignored.
        handlers = {
            number: signal.signal(number, _stop)
            for number in signals
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, quiet)
            yield
        except _Stopped as reason:
            stopped = reason.number
        finally:
            with suppress(termios.error):  # a terminal that hung up
                termios.tcsetattr(self._fd, termios.TCSAFLUSH, old)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if stopped:
            os.kill(os.getpid(), stopped)
            # Only where a handler of the program's own has it live on.
            raise KeyboardInterrupt


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Stopped(number)
