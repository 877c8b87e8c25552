"""The pool as an executor: submit, what can be submitted, what comes back."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import executor_tasks as tasks
import pytest
from executor_tasks import Counter
from gate import AnnouncesItsEnd, Gate, pass_through
from polling import eventually

from mojo_seq import ProcessPool

TIMEOUT = 30.0


def test_a_pool_is_an_executor(pool: ProcessPool) -> None:
    assert isinstance(pool, concurrent.futures.Executor)
    assert isinstance(pool.submit(pow, 2, 8), concurrent.futures.Future)


def test_the_result(pool: ProcessPool) -> None:
    assert pool.submit(pow, 2, 8).result(TIMEOUT) == 256


def test_it_runs_in_another_process(pool: ProcessPool) -> None:
    assert pool.submit(os.getpid).result(TIMEOUT) != os.getpid()
    assert pool.submit(os.getppid).result(TIMEOUT) == os.getpid()


def test_keywords(pool: ProcessPool) -> None:
    assert pool.submit(tasks.multiply, 2, y=8).result(TIMEOUT) == 16


def test_keywords_may_have_the_names_of_submits_own_parameters(pool: ProcessPool) -> None:
    names = {"self": 1, "fn": 2, "timeout": 3, "retries": 4, "scope": 5, "args": 6, "kwargs": 7}
    assert pool.submit(tasks.capture, 0, **names).result(TIMEOUT) == ((0,), names)


def test_the_function_is_positional(pool: ProcessPool) -> None:
    submit: Any = pool.submit
    with pytest.raises(TypeError):
        submit(fn=tasks.capture, arg=1)
    with pytest.raises(TypeError):
        submit(arg=1)
    with pytest.raises(TypeError):
        submit()


def test_the_function_must_be_callable(pool: ProcessPool) -> None:
    submit: Any = pool.submit
    with pytest.raises(TypeError, match="callable"):
        submit(17)


@pytest.mark.parametrize(
    ("function", "args", "result"),
    [
        (len, ("three",), 5),
        (partial(pow, 2), (5,), 32),
        (partial(int, base=2), ("101",), 5),
        (partial(partial(tasks.multiply, 3), 4), (), 12),
        (Counter(3).plus, (4,), 7),
        (Counter(3).twice, (4,), 8),
        (Counter.twice, (4,), 8),
        (Counter(3), (4,), 12),
        (Counter.plus, (Counter(5), 6), 11),
        ("a-b".split, ("-",), ["a", "b"]),
        (attrgetter("real"), (3,), 3),
        (dict, (), {}),
        (str.upper, ("up",), "UP"),
    ],
)
def test_functions_of_all_kinds(
    pool: ProcessPool, function: Callable[..., object], args: tuple[object, ...], result: object
) -> None:
    assert pool.submit(function, *args).result(TIMEOUT) == result


def test_class_methods_and_classes(pool: ProcessPool) -> None:
    assert pool.submit(Counter.from_start, 5).result(TIMEOUT).count == 105
    assert pool.submit(Counter, 6).result(TIMEOUT).count == 6


def test_many_in_the_order_of_submitting_each_with_its_own_result(pool: ProcessPool) -> None:
    futures = [pool.submit(tasks.multiply, number, number) for number in range(500)]
    assert [future.result(TIMEOUT) for future in futures] == [n * n for n in range(500)]


def test_results_of_all_sizes(pool: ProcessPool) -> None:
    sizes = [0, 1, 4095, 65_535, 65_536, 1_000_000, 20_000_000]
    futures = [pool.submit(tasks.make_bytes, size) for size in sizes]
    assert [len(future.result(TIMEOUT)) for future in futures] == sizes
    echoed = [pool.submit(tasks.size_of, bytes(size)) for size in sizes]
    assert [future.result(TIMEOUT) for future in echoed] == sizes


# --- functions of the program itself ---

MAIN = """
import functools, sys
from mojo_seq import ProcessPool

class Account:
    def __init__(self, balance):
        self.balance = balance
    def after(self, amount):
        return self.balance + amount
    @classmethod
    def empty(cls):
        return cls(0)

class OverdrawnError(Exception):
    pass

def twice(value):
    return 2 * value

def overdraw():
    raise OverdrawnError("by one")

if __name__ == "__main__":
    with ProcessPool(1) as pool:
        print(pool.submit(twice, 4).result(), *pool.map(twice, "ab"))
        print(pool.submit(Account(5).after, 6).result())
        print(pool.submit(Account.empty).result().balance)
        print(pool.submit(functools.partial(twice, 7)).result())
        try:
            pool.submit(overdraw).result()
        except OverdrawnError as error:
            print(error)
"""


@pytest.mark.parametrize("how", ["script", "module"])
def test_functions_and_classes_of_the_main_module(tmp_path: Path, how: str) -> None:
    (tmp_path / "bank.py").write_text(MAIN)
    command = ["bank.py"] if how == "script" else ["-m", "bank"]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=TIMEOUT,
    )
    assert done.stdout.splitlines() == ["8 aa bb", "11", "0", "14", "by one"]
    assert (done.stderr, done.returncode) == ("", 0)


# --- what is kept alive ---


@pytest.mark.parametrize("part", ["function", "method", "argument", "keyword"])
def test_what_was_submitted_is_not_kept(pool: ProcessPool, part: str) -> None:
    thing = tasks.Referenced()
    gone = weakref.ref(thing)
    future: concurrent.futures.Future[Any]
    match part:
        case "function":
            future = pool.submit(thing)
        case "method":
            future = pool.submit(thing.method)
        case "argument":
            future = pool.submit(id, thing)
        case _:
            future = pool.submit(tasks.capture, thing=thing)
    del thing
    future.exception(TIMEOUT)
    eventually(lambda: gone() is None)


def test_a_future_that_nobody_has_runs_and_keeps_nothing(pool: ProcessPool, gate: Gate) -> None:
    thing = tasks.Referenced()
    gone = weakref.ref(thing)
    pool.submit(tasks.capture, thing)
    pool.submit(pass_through, gate.path)
    gate.next_begun()
    del thing
    gate.open()
    eventually(lambda: gone() is None)


def test_the_pool_does_not_keep_results(pool: ProcessPool) -> None:
    future = pool.submit(tasks.make_referenced, 1)
    gone = weakref.ref(future.result(TIMEOUT))
    del future
    eventually(lambda: gone() is None)


def test_the_pool_does_not_keep_exceptions_nor_do_they_keep_themselves(pool: ProcessPool) -> None:
    gc.collect()
    gc.disable()
    try:
        future = pool.submit(tasks.fail, tasks.OneArgumentError, "once")
        gone = weakref.ref(future)
        with pytest.raises(tasks.OneArgumentError):
            future.result(TIMEOUT)
        del future
        eventually(lambda: gone() is None)  # without the collector's help
    finally:
        gc.enable()


def test_arguments_are_not_kept_in_the_worker(pool: ProcessPool, gate: Gate) -> None:
    worker = pool.submit(tasks.pid_of, AnnouncesItsEnd(gate.path, os.getpid())).result(TIMEOUT)
    assert gate.next_begun() == worker


def test_results_are_not_kept_in_the_worker(pool: ProcessPool, gate: Gate) -> None:
    thing = pool.submit(tasks.make_announcer, gate.path).result(TIMEOUT)
    assert gate.next_begun() != os.getpid()
    del thing


# --- errors of the call ---


def test_arguments_that_cannot_be_pickled_are_an_error_of_the_call(pool: ProcessPool) -> None:
    with pytest.raises(Exception, match="not to be pickled") as caught:
        pool.submit(len, [{"key": tasks.Unpicklable()}])
    assert "args[0][0]['key']" in "".join(caught.value.__notes__)
    assert pool.submit(len, "abc").result(TIMEOUT) == 3


def test_keywords_that_cannot_be_pickled_are_an_error_of_the_call(pool: ProcessPool) -> None:
    with pytest.raises(Exception, match="not to be pickled") as caught:
        pool.submit(tasks.capture, there=tasks.Unpicklable())
    assert "there" in "".join(caught.value.__notes__)


def test_an_error_of_the_call_starts_no_worker() -> None:
    with ProcessPool(1) as pool:
        with pytest.raises(Exception, match="not to be pickled"):
            pool.submit(tasks.capture, tasks.Unpicklable())
        assert [worker.pid for worker in pool.__actor_workers__()] == [None]
