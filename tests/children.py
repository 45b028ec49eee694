"""Forked processes that start their work at the same moment."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from tests.files import fork

if TYPE_CHECKING:
    from collections.abc import Callable


class Children:
    """Forked processes that do *work* at the same moment."""

    def __init__(self, number: int, work: Callable[[int], None]) -> None:
        start, go = os.pipe()
        self.pids = []
        for index in range(number):
            pid = fork()
            if pid == 0:
                os.close(go)
                os._exit(_run(start, index, work))
            self.pids.append(pid)
        os.close(start)
        os.close(go)

    def codes(self) -> list[int]:
        """Wait for all of them: 0 for each that came to its end."""
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in self.pids]


def _run(start: int, index: int, work: Callable[[int], None]) -> int:
    try:
        os.read(start, 1)
        work(index)
    except BaseException:  # noqa: BLE001  (a child must not run on into the tests)
        traceback.print_exc()
        return 1
    return 0
