"""stream: what becomes of generators that nobody reads to their end."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelled
from typing import Any

import pytest
import stream_tasks
from gate import Gate, pass_through
from polling import eventually
from pool_services import is_dead

from mojo_seq import ProcessPool, ShutdownError
from mojo_seq.pool.result_iterator import ResultIterator

# --- early ends ---


def leave_block(items: ResultIterator[int]) -> None:
    with items:
        assert next(items) == 0


def leave_loop(items: ResultIterator[int]) -> None:
    for number in items:
        if number == 3:
            break


def close(items: ResultIterator[int]) -> None:
    next(items)
    items.close()
    items.close()
    assert list(items) == []


def forget_in_cycle(items: ResultIterator[int]) -> None:
    cycle: list[Any] = [items]
    next(items)
    cycle.append(cycle)


@pytest.mark.parametrize("end", [leave_block, leave_loop, close, forget_in_cycle])
def test_every_early_end_closes_the_generator(
    pool: ProcessPool, gate: Gate, end: Callable[[ResultIterator[int]], None]
) -> None:
    end(pool.stream(stream_tasks.count_for_ever, gate.path))
    gc.collect()
    gate.next_begun()


def test_one_that_waits_for_room_is_closed(pool: ProcessPool, gate: Gate) -> None:
    items = pool.stream(stream_tasks.count_for_ever, gate.path, buffer=1)
    assert next(items) == 0
    items.close()
    pid = gate.next_begun()
    # and its worker is as good as before
    assert {pool.submit(os.getpid).result() for _ in range(10)} >= {pid} or not is_dead(pid)


def test_one_that_has_not_begun_never_does(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        blocked = pool.submit(pass_through, gate.path)
        gate.next_begun()
        items = pool.stream(stream_tasks.announce_each, gate.path)
        items.close()
        gate.open()
        blocked.result()
        assert pool.submit(stream_tasks.square, 2).result() == 4
        assert gate.none_has_begun()


def test_a_closed_one_is_told_between_items(pool: ProcessPool, gate: Gate) -> None:
    items = pool.stream(stream_tasks.cancelled_when_closed, gate.path)
    assert next(items) is True
    pid = gate.next_begun()
    items.close()
    assert gate.next_begun() == pid


def test_one_that_takes_no_notice_is_killed(
    pool: ProcessPool, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mojo_seq.pool.item_stream._GRACE_PERIOD", 0.05)
    items = pool.stream(stream_tasks.never_yield, gate.path)
    pid = gate.next_begun()
    items.close()
    eventually(lambda: is_dead(pid))
    assert pool.submit(stream_tasks.square, 2).result() == 4


def test_what_fails_when_it_is_closed_is_logged(
    pool: ProcessPool, caplog: pytest.LogCaptureFixture
) -> None:
    items = pool.stream(stream_tasks.fail_when_closed)
    next(items)
    items.close()
    eventually(lambda: "a stream failed while it was closed" in caplog.text)
    assert "when closed" in caplog.text


def test_one_that_ignores_being_closed(
    pool: ProcessPool, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    items = pool.stream(stream_tasks.ignore_being_closed, gate.path)
    next(items)
    items.close()
    gate.next_begun()
    eventually(lambda: "generator ignored GeneratorExit" in caplog.text)


def test_another_thread_may_close_it(pool: ProcessPool, gate: Gate) -> None:
    items = pool.stream(stream_tasks.count_with_gate, gate.path)
    gate.next_begun()
    with gate:
        found: list[list[int]] = []
        thread = threading.Thread(target=lambda: found.append(list(items)))
        thread.start()
        eventually(lambda: items._busy)
        items.close()
        thread.join()
        assert found == [[]]


# --- the pool's end ---


def test_shutting_down_ends_those_that_nobody_reads(pool: ProcessPool, gate: Gate) -> None:
    """And what was made can still be had."""
    items = pool.stream(stream_tasks.count_for_ever, gate.path, buffer=5)
    assert next(items) == 0
    pool.shutdown()
    gate.next_begun()
    found = []
    with pytest.raises(ShutdownError):
        for each in items:
            found.append(each)
    assert found == [*range(1, 1 + len(found))] and len(found) <= 6
    assert list(items) == []


def test_one_that_has_not_begun_when_the_pool_ends(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        pool.submit(pass_through, gate.path)
        gate.next_begun()
        items = pool.stream(stream_tasks.announce_each, gate.path)
        pool.shutdown(wait=False)
    with pytest.raises(ShutdownError):
        next(items)
    assert gate.none_has_begun()


def test_one_that_is_cancelled_with_the_pool(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        pool.submit(pass_through, gate.path)
        gate.next_begun()
        items = pool.stream(stream_tasks.announce_each, gate.path)
        pool.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(FutureCancelled):
            next(items)


def test_a_pool_that_was_shut_down(pool: ProcessPool) -> None:
    pool.shutdown()
    with pytest.raises(ShutdownError):
        pool.stream(stream_tasks.count, 3)


def test_leaving_the_pools_block_with_an_open_stream() -> None:
    with ProcessPool(1) as pool:
        items = pool.stream(stream_tasks.count_for_ever)
        assert next(items) == 0
    items.close()


def test_the_interpreters_end(run_python: Callable[..., Any]) -> None:
    """It waits for nobody."""
    done = run_python(
        "import stream_tasks, mojo_seq\n"
        "if __name__ == '__main__':\n"
        "    pool = mojo_seq.ProcessPool(2)\n"
        "    items = pool.stream(stream_tasks.count_for_ever)\n"
        "    results = pool.imap(stream_tasks.square, iter(int, 1))\n"
        "    print(next(items), next(results))\n"
    )
    assert (done.stdout, done.returncode) == ("0 0\n", 0), done.stderr
