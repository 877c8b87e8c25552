"""ProcessPool: what it is made of, whom it chooses, what is left of it."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pool_services
import pytest
from pool_services import answer_pid, ask, start_workers

from mojo_seq import InvalidArgumentError, MessagePipeHandle, ShutdownError, create_message_pipe
from mojo_seq.pool import ProcessPool

WaitClosed = Callable[[MessagePipeHandle], None]


def test_a_pool_that_is_not_used_starts_nothing(pool: ProcessPool) -> None:
    before = threading.active_count()
    assert [worker.pid for worker in pool.__actor_workers__()] == [None, None]
    assert all(worker.is_alive for worker in pool.__actor_workers__())
    assert pool.choose_worker().exit_reason() is None
    assert threading.active_count() == before


def test_workers_are_started_one_by_one_as_they_are_needed(pool: ProcessPool) -> None:
    [(pipe, pid)] = start_workers(pool, 1)
    with pipe:
        assert [worker.pid for worker in pool.__actor_workers__()] == [pid, None]


def test_the_most_workers() -> None:
    assert ProcessPool().max_workers == len(os.sched_getaffinity(0))
    with ProcessPool(3) as pool:
        assert pool.max_workers == 3
        started = start_workers(pool, 7)
        assert len({pid for _, pid in started}) == 3
        for pipe, _ in started:
            pipe.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_workers": 0}, InvalidArgumentError),
        ({"max_workers": -1}, InvalidArgumentError),
        ({"max_workers": 1.0}, TypeError),
        ({"max_workers": "1"}, TypeError),
        ({"initializer": 1}, TypeError),
        ({"initializer": print, "initargs": 1}, TypeError),
        ({"initializer": lambda: None}, pickle.PicklingError),
        ({"initializer": print, "initargs": [threading.Lock()]}, TypeError),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ProcessPool(**arguments)


def test_handles_cannot_be_given_to_all_workers() -> None:
    near, far = create_message_pipe()
    with near, far:
        with pytest.raises(InvalidArgumentError, match="more than one worker"):
            ProcessPool(1, initializer=print, initargs=[[far]])
        far.write(b"still ours")
        assert bytes(near.read()) == b"still ours"


def test_a_pool_cannot_be_pickled(pool: ProcessPool) -> None:
    with pytest.raises(TypeError, match="ProcessPool cannot be copied or pickled"):
        pickle.dumps(pool)


# --- whom it chooses ---


def test_those_that_are_not_used_come_first(pool: ProcessPool) -> None:
    first, second = pool.choose_worker(), pool.choose_worker()
    assert first is not second
    assert pool.choose_worker() is first


def test_the_least_load_is_chosen(pool: ProcessPool) -> None:
    first, second = pool.__actor_workers__()
    first.load = 2
    assert [pool.choose_worker() for _ in range(3)] == [second, second, second]
    second.load = 3
    assert pool.choose_worker() is first


def test_many_threads_may_use_it() -> None:
    """Each gets its answers from where it has asked, whatever the others do."""
    errors: list[object] = []
    counting = threading.Lock()

    def use(pool: ProcessPool) -> None:
        for number in range(20):
            worker = pool.choose_worker()
            with counting:
                worker.load += 1
            with worker.open_service(pool_services.echo) as pipe:
                if ask(pipe, b"%d" % number) != b"%d" % number:
                    errors.append(worker)

    with ProcessPool(2) as pool:
        threads = [threading.Thread(target=use, args=(pool,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sum(worker.load for worker in pool.__actor_workers__()) == 160


# --- its end ---


def test_leaving_the_block_ends_the_workers(wait_closed: WaitClosed) -> None:
    with ProcessPool(2) as pool:
        started = start_workers(pool, 2)
        workers = pool.__actor_workers__()
    for pipe, pid in started:
        wait_closed(pipe)
        pipe.close()
        assert not os.path.exists(f"/proc/{pid}")  # and no zombie
    for worker in workers:
        assert not worker.is_alive
        assert worker.exitcode == 0
        assert worker.exit_reason() == (
            f"worker {workers.index(worker) + 1} (pid {worker.pid}) was ended with its pool"
        )


def test_leaving_by_an_exception_is_the_same(wait_closed: WaitClosed) -> None:
    with pytest.raises(ZeroDivisionError), ProcessPool(1) as pool:
        worker = pool.choose_worker()
        pipe = worker.open_service(pool_services.echo)
        raise ZeroDivisionError
    wait_closed(pipe)
    pipe.close()
    assert not worker.is_alive


def test_a_worker_that_is_just_starting_is_ended() -> None:
    for _ in range(5):
        with ProcessPool(2) as pool:
            pipes = [pool.choose_worker().open_service(answer_pid) for _ in range(2)]
        for pipe in pipes:
            pipe.close()


def test_nothing_can_be_opened_afterwards(pool: ProcessPool) -> None:
    used, unused = pool.choose_worker(), pool.choose_worker()
    used.open_service(answer_pid).close()
    pool.shutdown()
    assert repr(pool) == "<ProcessPool max_workers=2 shut down>"
    for worker in (used, unused):
        assert not worker.is_alive
        near, far = create_message_pipe()
        with near, far:
            with pytest.raises(ShutdownError):
                worker.open_service(pool_services.answer, far)
            assert far.is_valid
    assert unused.exit_reason() == "the pool was shut down before it was needed"
    with pytest.raises(ShutdownError):
        pool.choose_worker()
    with pytest.raises(ShutdownError):
        pool.__actor_workers__()


def test_shutting_down_twice_is_harmless(pool: ProcessPool) -> None:
    start_workers(pool, 1)[0][0].close()
    pool.shutdown()
    pool.shutdown()
    pool.shutdown(wait=False)


def test_it_can_end_in_the_background(pool: ProcessPool) -> None:
    [(pipe, pid)] = start_workers(pool, 1)
    with pipe:
        pool.shutdown(wait=False)
        with pytest.raises(ShutdownError):
            pool.choose_worker()
        pool_services.await_end([pid])
        pool.shutdown()


def test_several_threads_may_shut_it_down(pool: ProcessPool) -> None:
    [(pipe, pid)] = start_workers(pool, 1)
    threads = [threading.Thread(target=pool.shutdown) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.close()
    assert not os.path.exists(f"/proc/{pid}")
