"""The pool as an executor: what breaks or hangs other executors. Here it costs one task at most."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from pickle import PicklingError, UnpicklingError
from typing import Any

import executor_tasks as tasks
import pytest
from executor_tasks import TroubleAtPickle, TroubleAtUnpickle, make
from gate import Gate, announce, pass_through
from polling import eventually

from mojo_seq import MojoError, ProcessPool, WorkerDiedError

TIMEOUT = 30.0

DEATHS: list[tuple[Callable[[], object], int]] = [
    (tasks.die_by_segfault, -signal.SIGSEGV),
    (tasks.die_by_abort, -signal.SIGABRT),
    (tasks.die_by_kill, -signal.SIGKILL),
    (tasks.die_by_exit, 3),
]


def works(pool: ProcessPool) -> bool:
    """The pool does what it is asked, all its workers do."""
    return list(pool.map(abs, range(-20, 0))) == list(range(20, 0, -1))


def error_of(future: Future[Any]) -> BaseException:
    error = future.exception(TIMEOUT)
    assert error is not None
    return error


# --- the worker dies ---


@pytest.mark.parametrize(("death", "exitcode"), DEATHS)
def test_a_death_in_the_task(pool: ProcessPool, death: Callable[[], object], exitcode: int) -> None:
    error = error_of(pool.submit(death))
    assert isinstance(error, WorkerDiedError) and isinstance(error, MojoError)
    assert error.exitcode == exitcode
    assert error.signal == (signal.Signals(-exitcode) if exitcode < 0 else None)
    assert error.pid is not None and not os.path.exists(f"/proc/{error.pid}")
    assert death.__name__ in error.task
    assert works(pool)


@pytest.mark.parametrize(("death", "exitcode"), DEATHS)
def test_a_death_at_the_unpickling_of_an_argument(
    pool: ProcessPool, death: Callable[[], object], exitcode: int
) -> None:
    error = error_of(pool.submit(id, TroubleAtUnpickle(death)))
    assert isinstance(error, WorkerDiedError) and error.exitcode == exitcode
    assert works(pool)


@pytest.mark.parametrize(("death", "exitcode"), DEATHS)
def test_a_death_at_the_pickling_of_the_result(
    pool: ProcessPool, death: Callable[[], object], exitcode: int
) -> None:
    error = error_of(pool.submit(make, TroubleAtPickle, death))
    assert isinstance(error, WorkerDiedError) and error.exitcode == exitcode
    assert works(pool)


def test_a_death_from_outside(pool: ProcessPool, gate: Gate) -> None:
    future = pool.submit(pass_through, gate.path)
    pid = gate.next_begun()
    os.kill(pid, signal.SIGKILL)
    error = error_of(future)
    assert isinstance(error, WorkerDiedError)
    assert (error.pid, error.exitcode, error.signal) == (pid, -9, signal.SIGKILL)
    gate.open()
    assert works(pool)


def test_a_termination_from_outside(pool: ProcessPool, gate: Gate) -> None:
    future = pool.submit(pass_through, gate.path)
    os.kill(gate.next_begun(), signal.SIGTERM)
    assert isinstance(error_of(future), WorkerDiedError)
    gate.open()
    assert works(pool)


def test_the_death_of_an_idle_worker_is_nobodys(pool: ProcessPool) -> None:
    for _ in range(5):
        os.kill(pool.submit(os.getpid).result(TIMEOUT), signal.SIGKILL)
        assert works(pool)


def test_only_the_task_that_ran_fails(gate: Gate) -> None:
    """Not those that wait, also if they have been sent to the worker that dies."""
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        pid = gate.next_begun()
        others = [pool.submit(tasks.multiply, 2, number) for number in range(200)]
        os.kill(pid, signal.SIGKILL)
        assert isinstance(error_of(first), WorkerDiedError)
        assert [each.result(TIMEOUT) for each in others] == list(range(0, 400, 2))


def test_the_other_workers_tasks_go_on(pool: ProcessPool, gate: Gate) -> None:
    futures = {}
    for _ in range(2):
        future = pool.submit(pass_through, gate.path, "done")
        futures[gate.next_begun()] = future
    (victim, killed), (_, other) = futures.items()
    os.kill(victim, signal.SIGKILL)
    assert isinstance(error_of(killed), WorkerDiedError)
    assert not other.done()
    gate.open()
    assert other.result(TIMEOUT) == "done"


def test_many_deaths_with_much_data(pool: ProcessPool) -> None:
    """Also while it is written to the worker."""
    data = bytes(1_000_000)
    futures = [pool.submit(tasks.die_by_exit, 3, data) for _ in range(10)]
    assert {type(error_of(future)) for future in futures} == {WorkerDiedError}
    assert works(pool)


def test_deaths_among_many(pool: ProcessPool, tmp_path: Path) -> None:
    futures: list[Future[Any]] = []
    for number in range(300):
        death: Any = tasks.die_by_exit if number % 3 else tasks.die_by_kill
        dies = number % 40 == 17
        futures.append(pool.submit(death) if dies else pool.submit(tasks.multiply, 3, number))
    for number, future in enumerate(futures):
        if number % 40 == 17:
            assert isinstance(error_of(future), WorkerDiedError)
        else:
            assert future.result(TIMEOUT) == 3 * number


def test_the_last_words_are_told(pool: ProcessPool) -> None:
    error = error_of(pool.submit(tasks.die_with_words, "one thing", "and another"))
    assert isinstance(error, WorkerDiedError)
    assert "one thing\nand another" in error.stderr
    assert error.exitcode == 4


def test_nobody_else_is_given_the_words_of_an_earlier_death() -> None:
    with ProcessPool(1) as pool:
        error_of(pool.submit(tasks.die_with_words, "of the first"))
        error = error_of(pool.submit(tasks.die_with_words, "of the second"))
        assert isinstance(error, WorkerDiedError)
        assert "second" in error.stderr and "first" not in error.stderr


# --- errors that are not deaths ---


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (tasks.raise_at_unpickle, UnpicklingError),
        (tasks.exit_python, SystemExit),
        (tasks.fail_with_interrupt, KeyboardInterrupt),
    ],
)
def test_an_argument_that_cannot_be_unpickled(
    pool: ProcessPool, trouble: Callable[[], object], error: type[BaseException]
) -> None:
    pid = pool.submit(tasks.pid_of).result(TIMEOUT)
    assert isinstance(error_of(pool.submit(id, TroubleAtUnpickle(trouble))), error)
    assert pool.submit(tasks.pid_of).result(TIMEOUT) == pid
    assert works(pool)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (tasks.raise_at_pickle, PicklingError),
        (tasks.exit_python, SystemExit),
        (tasks.fail_with_interrupt, KeyboardInterrupt),
    ],
)
def test_a_result_that_cannot_be_pickled(
    pool: ProcessPool, trouble: Callable[[], object], error: type[BaseException]
) -> None:
    pid = pool.submit(tasks.pid_of).result(TIMEOUT)
    assert isinstance(error_of(pool.submit(make, TroubleAtPickle, trouble)), error)
    assert pool.submit(tasks.pid_of).result(TIMEOUT) == pid
    assert works(pool)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (tasks.raise_at_unpickle, UnpicklingError),
        (tasks.exit_python, SystemExit),
        (tasks.fail_with_interrupt, KeyboardInterrupt),
    ],
)
def test_a_result_that_cannot_be_unpickled_here(
    pool: ProcessPool, trouble: Callable[[], object], error: type[BaseException]
) -> None:
    assert isinstance(error_of(pool.submit(make, TroubleAtUnpickle, trouble)), error)
    assert works(pool)


def test_a_lock_as_the_result(pool: ProcessPool) -> None:
    assert "lock" in str(error_of(pool.submit(threading.Lock)))
    assert works(pool)


def test_a_function_as_the_result_that_is_not_there(pool: ProcessPool) -> None:
    error = error_of(pool.submit(tasks.make_closure))
    assert "make_closure" in str(error)
    assert works(pool)


def test_an_exception_that_cannot_be_pickled(pool: ProcessPool) -> None:
    error = error_of(pool.submit(tasks.fail, tasks.UnpicklableError))
    assert "with a lock" in str(error) or "lock" in repr(error.__cause__)
    assert works(pool)


def test_an_exception_that_cannot_be_unpickled(pool: ProcessPool) -> None:
    error = error_of(pool.submit(tasks.fail, tasks.OneWayError, 1, 2))
    shown = f"{error!r} {error.__cause__} {getattr(error, '__notes__', '')}"
    assert "OneWayError" in shown and "1 and 2" in shown
    assert works(pool)


def test_pickling_that_submits(pool: ProcessPool) -> None:
    """Nothing is locked while code of others runs."""
    inner: list[Future[int]] = []
    trouble = TroubleAtPickle(lambda: inner.append(pool.submit(len, "abc")))
    assert pool.submit(len, [trouble]).result(TIMEOUT) == 1
    assert inner[0].result(TIMEOUT) == 3


def test_a_result_whose_unpickling_submits(pool: ProcessPool) -> None:
    tasks.current_pool = pool
    try:
        future = pool.submit(make, TroubleAtUnpickle, tasks.submit_to_current_pool)
        assert future.result(TIMEOUT) == "submitted"
    finally:
        tasks.current_pool = None
    assert works(pool)


# --- others ---


def test_a_program_that_a_task_leaves_behind(pool: ProcessPool) -> None:
    """It has the worker's stderr open; the worker's end is seen all the same."""
    error = error_of(pool.submit(tasks.die_leaving_a_program_behind))
    assert isinstance(error, WorkerDiedError) and error.exitcode == 8
    os.kill(int(error.stderr.split()[-1]), signal.SIGKILL)


def test_a_task_may_fork(pool: ProcessPool) -> None:
    assert pool.submit(tasks.fork_and_return, 5).result(TIMEOUT) == 5
    assert works(pool)


def test_submitting_never_blocks_however_much_there_is(pool: ProcessPool, gate: Gate) -> None:
    blocking = [pool.submit(pass_through, gate.path) for _ in range(2)]
    futures = [pool.submit(abs, number) for number in range(20_000)]
    big = [pool.submit(tasks.size_of, bytes(100_000)) for _ in range(200)]
    assert not any(future.done() for future in futures)
    gate.open()
    assert [each.result(TIMEOUT) for each in futures] == list(range(20_000))
    assert {each.result(TIMEOUT) for each in big} == {100_000}
    assert [each.result(TIMEOUT) for each in blocking] == [None, None]


def test_submitting_from_many_threads(pool: ProcessPool) -> None:
    defects: list[object] = []

    def use(own: int) -> None:
        futures = [pool.submit(tasks.multiply, own, number) for number in range(200)]
        for number, future in enumerate(futures):
            if future.result(TIMEOUT) != own * number:
                defects.append((own, number))

    threads = [threading.Thread(target=use, args=(own,)) for own in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert defects == []


def test_no_task_waits_behind_a_long_one_while_a_worker_idles(gate: Gate) -> None:
    with ProcessPool(2) as pool, gate:
        assert works(pool)
        long = pool.submit(pass_through, gate.path)
        gate.next_begun()
        assert works(pool)
        assert not long.done()
        gate.open()


def test_a_task_that_was_sent_behind_one_that_turns_out_long_goes_to_another(gate: Gate) -> None:
    with ProcessPool(2) as pool, gate:
        futures = [pool.submit(abs, number) for number in range(500)]
        long = pool.submit(pass_through, gate.path)
        futures += [pool.submit(abs, number) for number in range(500, 1000)]
        assert [future.result(TIMEOUT) for future in futures] == list(range(1000))
        assert not long.done()
        gate.open()


def test_tasks_begin_in_the_order_of_submitting(gate: Gate, tmp_path: Path) -> None:
    with ProcessPool(1) as pool, gate:
        pool.submit(pass_through, gate.path)
        gate.next_begun()
        path = str(tmp_path / "order")
        for number in range(100):
            pool.submit(tasks.append_line, path, str(number))
        gate.open()
    assert Path(path).read_text().split() == [str(number) for number in range(100)]


def test_a_task_is_on_the_same_thread_as_the_one_before(pool: ProcessPool) -> None:
    """Libraries that belong to a thread can be used by one task after the other."""
    with ProcessPool(1) as single:
        assert len({single.submit(threading.get_ident).result(TIMEOUT) for _ in range(5)}) == 1


def test_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, and no hang; and later it works."""
    with ProcessPool(1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", tasks.refuse_thread)
            with pytest.raises((RuntimeError, MojoError)):
                pool.submit(abs, 1).result(TIMEOUT)
        assert pool.submit(abs, -1).result(TIMEOUT) == 1


def test_announce_is_heard(pool: ProcessPool, gate: Gate) -> None:
    """Of the gate itself: what the tests rely on."""
    pool.submit(announce, gate.path).result(TIMEOUT)
    assert not gate.none_has_begun()
    assert gate.next_begun() != os.getpid()
    eventually(gate.none_has_begun)
