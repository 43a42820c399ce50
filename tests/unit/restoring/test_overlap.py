"""Decoding ahead and encoding behind: order, errors as themselves, bounded waiting, and no thread that stays."""

import threading
from collections.abc import Iterator

import pytest

from ncfl.restoring.overlap import MOST, ahead, behind, depth_for

WAIT = 10  # seconds, in which what is right has long happened


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_items_come_in_order_however_many_there_are(depth: int):
    for count in (0, 1, 2, 9):
        with ahead(iter(range(count)), depth) as items:
            assert list(items) == list(range(count))


def test_so_many_are_made_ahead_and_no_more():
    made, enough = [], threading.Event()

    def items() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            if n == 3:
                enough.set()
            yield n

    with ahead(items(), 3) as found:
        assert next(found) == 0
        assert enough.wait(WAIT)  # 1, 2 and 3 without being asked for
    assert made == [0, 1, 2, 3]


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_while_reading_comes_after_what_was_read_before_it(depth: int):
    fault = ValueError("frame 2 is corrupt")

    def items() -> Iterator[int]:
        yield from (0, 1)
        raise fault

    found = []
    with ahead(items(), depth) as read, pytest.raises(ValueError, match="corrupt") as raised:
        found.extend(read)
    assert found == [0, 1]
    assert raised.value is fault


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_calls_are_made_in_order_and_all_are_done_at_the_end(depth: int):
    done = []
    with behind(done.append, depth) as call:
        for n in range(20):
            call(n)
    assert done == list(range(20))


def test_calls_wait_for_a_slow_one():
    go_on, begun, done = threading.Event(), threading.Semaphore(0), []

    def work(n: int) -> None:
        begun.release()
        assert go_on.wait(WAIT)
        done.append(n)

    with behind(work, 2) as call:
        caller = threading.Thread(target=lambda: [call(n) for n in range(10)])
        caller.start()
        assert begun.acquire(timeout=WAIT)
        caller.join(0.2)
        assert caller.is_alive()  # one is at work and two wait
        go_on.set()
        caller.join(WAIT)
        call.wait()
        assert done == list(range(10))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_error_while_writing_reaches_the_caller_and_nothing_is_written_after_it(depth: int):
    fault, done = OSError(28, "full"), []

    def work(n: int) -> None:
        if n == 2:
            raise fault
        done.append(n)

    def run() -> None:
        with behind(work, depth) as call:
            for n in range(20):
                call(n)

    with pytest.raises(OSError, match="full") as raised:
        run()
    assert raised.value is fault
    assert done == [0, 1]


def test_what_ends_the_block_drops_what_waits():
    go_on, begun, done = threading.Event(), threading.Event(), []

    def work(n: int) -> None:
        begun.set()
        assert go_on.wait(WAIT)
        done.append(n)

    def end() -> None:
        with behind(work, 3) as call:
            for n in range(3):
                call(n)
            assert begun.wait(WAIT)
            threading.Timer(0.2, go_on.set).start()
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        end()
    assert done == [0]


def test_large_frames_wait_in_smaller_numbers():
    assert depth_for(360, 640) == MOST
    assert depth_for(2160, 3840) == 1
    assert depth_for(4320, 7680) == 1
