"""A log line and a message are one line, whatever is in a name or a path."""

from __future__ import annotations

import logging

from hypothesis import given
from hypothesis import strategies as st

from interpal import exceptions
from interpal._log import Logger
from interpal.exceptions import InterpalException, VaultNotFoundError
from interpal.vault.files.permissions import shown

# Controls, separators of lines and paragraphs, marks of direction, and halves of pairs.
ODD = st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"])
names = st.text(ODD | st.characters(), max_size=30)
CLASSES = [
    one
    for one in vars(exceptions).values()
    if isinstance(one, type) and issubclass(one, InterpalException)
]


@given(names)
def test_the_message_of_every_error_is_one_line(name: str) -> None:
    for kind in CLASSES:
        text = str(kind.__new__(kind, f"{name}: not there"))
        assert text.isprintable(), (kind, ascii(text))
        assert text.endswith(": not there")


@given(names, names)
def test_a_log_line_is_one_line(name: str, path: str) -> None:
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, log = Kept(), logging.getLogger("interpal.tests.one_line")
    log.addHandler(handler)
    try:
        error = VaultNotFoundError(path, path=path)
        Logger(log.name).warning("%s: account %s; %s; %s", path, name, error, OSError(2, name))
    finally:
        log.removeHandler(handler)
    assert len(lines) == 1
    assert lines[0].isprintable(), ascii(lines[0])


@given(names)
def test_a_path_is_shown_in_one_line(path: str) -> None:
    assert shown(path).isprintable()
    assert shown(path) == path or not path.isprintable()
