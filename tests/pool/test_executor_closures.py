"""The pool as an executor: lambdas and closures, with cloudpickle and without."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import executor_tasks as tasks
import numpy as np
import pytest

from mojo_seq import ProcessPool

TIMEOUT = 30.0

Submit = Callable[[ProcessPool], Future[Any]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]


def submit_lambda(pool: ProcessPool) -> Future[int]:
    return pool.submit(lambda number: number + 1, 4)


def submit_closure(pool: ProcessPool) -> Future[int]:
    offset = 1

    def add(number: int) -> int:
        return number + offset

    return pool.submit(add, 4)


def submit_partial_of_a_lambda(pool: ProcessPool) -> Future[int]:
    return pool.submit(partial(lambda x, y: x + y, 1), 4)


def submit_method_of_a_local_class(pool: ProcessPool) -> Future[int]:
    class Local:
        def add(self, number: int) -> int:
            return number + 1

    return pool.submit(Local().add, 4)


def submit_lambda_as_an_argument(pool: ProcessPool) -> Future[object]:
    return pool.submit(tasks.call, lambda number: number + 1, 4)


ALL: list[Submit] = [
    submit_lambda,
    submit_closure,
    submit_partial_of_a_lambda,
    submit_method_of_a_local_class,
    submit_lambda_as_an_argument,
]


@pytest.fixture
def without_cloudpickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)


@pytest.mark.parametrize("submit", ALL)
def test_with_cloudpickle_they_work(pool: ProcessPool, submit: Submit) -> None:
    assert submit(pool).result(TIMEOUT) == 5


@pytest.mark.usefixtures("without_cloudpickle")
@pytest.mark.parametrize("submit", ALL)
def test_without_it_is_an_error_of_the_call_that_says_what_helps(
    pool: ProcessPool, submit: Submit
) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)) as caught:
        submit(pool)
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "cloudpickle" in told
    assert pool.submit(abs, -1).result(TIMEOUT) == 1


def test_a_lambda_for_map(pool: ProcessPool) -> None:
    assert list(pool.map(lambda number: number * number, range(20))) == [n * n for n in range(20)]
    chunks = pool.map(lambda number: number * number, range(20), chunksize=6)
    assert list(chunks) == [n * n for n in range(20)]


def test_what_a_closure_has_travels_with_it(pool: ProcessPool) -> None:
    table = np.arange(100_000)
    assert pool.submit(lambda: int(table.sum())).result(TIMEOUT) == 4_999_950_000


def test_what_not_even_cloudpickle_can_pickle(pool: ProcessPool) -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="lock"):
        pool.submit(lambda: lock)
    assert pool.submit(abs, -1).result(TIMEOUT) == 1


def test_functions_that_need_no_cloudpickle_do_not_import_it(run_python: RunPython) -> None:
    code = """
import sys
from mojo_seq import ProcessPool
with ProcessPool(1) as pool:
    list(pool.map(abs, range(10)))
    print("cloudpickle" in sys.modules)
"""
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_functions_of_an_interactive_session(run_python: RunPython) -> None:
    """Of a main module that no worker can import: by value, as cloudpickle does."""
    code = """
from mojo_seq import ProcessPool

def square(number):
    return number * number

with ProcessPool(1) as pool:
    print(*pool.map(square, range(5)))
"""
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("0 1 4 9 16\n", "")
