"""Each message once, also where memory is short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interpal.live.progress import Progress, is_after


def test_a_message_is_new_once() -> None:
    progress = Progress()
    assert progress.first_time("8", "19")
    assert not progress.first_time("8", "19")
    assert progress.first_time("9", "20")


def test_ids_are_compared_as_numbers() -> None:
    assert is_after("100", "99")
    assert not is_after("99", "100")
    assert not is_after("99", "99")
    assert is_after("1", "")


def test_what_was_there_before_is_settled_and_what_came_since_is_not() -> None:
    progress = Progress()
    progress.settle({"8": "15"})
    progress.settle_the_rest("15")
    assert progress.is_settled("8", "15")
    assert not progress.is_settled("8", "16")
    assert progress.is_settled("another", "14")
    assert not progress.is_settled("another", "16")
    assert not progress.first_time("8", "15")
    assert progress.first_time("8", "16")


def test_it_tells_on_which_connection_a_message_was_handed_out() -> None:
    progress = Progress()
    progress.connection = 1
    progress.first_time("8", "16")
    progress.connection = 2
    progress.first_time("8", "18")
    assert not progress.handed_out_since("16", 2)
    assert progress.handed_out_since("18", 2)
    assert not progress.handed_out_since("17", 1)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12)), max_size=200),
    st.integers(2, 8),
)
def test_a_repetition_is_known_however_long_ago(
    steps: list[tuple[int, int]], remembered: int
) -> None:
    """Ids grow; a message may be told again at any later time."""
    progress = Progress(messages=remembered, threads=100)
    told: list[tuple[str, str]] = []
    number = 1
    for thread, back in steps:
        if thread == 5 and told:
            assert not progress.first_time(*told[-min(back, len(told))])
        else:
            number += back
            told.append((str(thread), str(number)))
            assert progress.first_time(*told[-1])


def test_memory_is_bounded() -> None:
    progress = Progress(messages=100, threads=50)
    for number in range(10_000):
        progress.first_time(str(number % 500), str(number))
        progress.settle({str(number % 700): str(number)})
    sizes = [len(value) for value in vars(progress).values() if isinstance(value, dict)]
    assert max(sizes) <= 500
    assert len(progress._settled) <= 50
