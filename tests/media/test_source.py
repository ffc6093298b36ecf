"""Reading ahead in a thread: same items, errors handed on, the thread gone when it should be."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.errors import VideoError
from camn.media.opening import open_source
from camn.media.source import prefetch


def prefetch_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "camn-prefetch"]


@given(st.lists(st.integers()), st.integers(1, 5))
def test_same_items_in_the_same_order(items, depth):
    assert list(prefetch(items, depth)) == items
    assert not prefetch_threads()


def test_error_comes_after_the_items_before_it():
    def items():
        yield from range(5)
        raise VideoError("broken")

    seen = []
    with pytest.raises(VideoError, match="broken"):
        for item in prefetch(items(), 2):
            seen.append(item)
    assert seen == list(range(5))
    assert not prefetch_threads()


@pytest.mark.parametrize("taken", [1, 2, 7])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_closing_stops_the_thread_and_the_items(taken, depth):
    closed = threading.Event()

    def endless():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    ahead = prefetch(endless(), depth)
    assert [next(ahead) for _ in range(taken)] == list(range(taken))
    ahead.close()
    assert closed.is_set()
    assert not prefetch_threads()


def test_produces_ahead_but_no_further_than_the_depth():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetch(items(), depth=3)
    next(ahead)
    waited = time.monotonic() + 10
    while len(made) < 5 and time.monotonic() < waited:  # one taken, three waiting, one in hand
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 5
    ahead.close()


def test_close_before_the_first_item():
    ahead = prefetch(range(3))
    ahead.close()
    assert list(ahead) == []


def test_missing_path(tmp_path):
    with pytest.raises(VideoError, match="nothing.mp4: no such file or folder"):
        open_source(tmp_path / "nothing.mp4")
