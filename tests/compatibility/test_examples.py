"""The example scripts of 1.2.0 that work with it run to their end here and print the same lines."""

from __future__ import annotations

import re

import pytest

from tests.compatibility.host import OURS, THEIRS, run_script
from tests.compatibility.release import examples

# Each runs for as long as somebody would watch it.
pytestmark = pytest.mark.long

# `async_example.py` and `send_gif_async_example.py` end with an error of 1.2.0's own.
WORKING = (
    "bot_example.py",
    "bot_with_cogs.py",
    "bot_with_event_models.py",
    "persistent_session.py",
    "realtime_bot.py",
)


# 1.2.0 never calls the listeners of its cogs.
MORE = {"bot_with_cogs.py": ("\u2705 GeneralCog loaded and ready!",)}


def without_times(lines: list[str]) -> list[str]:
    """What is printed of a moment or of a duration differs from run to run."""
    moment = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?"
    return [
        re.sub(r"\b\d{1,2}:\d\d:\d\d\b", "<time>", re.sub(moment, "<moment>", x)) for x in lines
    ]


@pytest.mark.parametrize("name", WORKING)
def test_an_example_prints_what_it_prints_with_1_2_0(name: str) -> None:
    code = examples()[name]
    theirs = run_script(THEIRS, name, code)
    assert theirs.status == 0, theirs
    ours = run_script(OURS, name, code)
    assert ours.status == 0, ours
    printed = [line for line in without_times(ours.lines) if line not in MORE.get(name, ())]
    assert printed == without_times(theirs.lines)


def test_the_others_come_further_here() -> None:
    for name in set(examples()) - set(WORKING):
        run = run_script(OURS, name, examples()[name])
        assert run.status == 0, run
