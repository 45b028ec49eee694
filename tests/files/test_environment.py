from __future__ import annotations

import os


def test_the_tests_with_a_second_user_and_with_mounts_are_run() -> None:
    assert os.geteuid() == 0, (
        "test_strangers.py and test_mounts.py need root and were left out: run the tests as root "
        "in a container or virtual machine, as CI does"
    )
