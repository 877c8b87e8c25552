"""The backend for joblib."""

from __future__ import annotations

import gc
import importlib.util
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed

import mojo_seq
from mojo_seq import ProcessPool, ShutdownError, current_task
from mojo_seq.integrations import joblib_backend
from mojo_seq.pool import WorkerDiedError


@pytest.fixture(scope="session", autouse=True)
def warmed_up() -> None:
    """What a process has from its first pool on, before it is counted."""
    joblib_backend.register()
    with ProcessPool(1) as pool:
        pool.submit(os.getpid).result()


@pytest.fixture(autouse=True)
def settled(
    warmed_up: None, nothing_left_behind: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Before what is left is counted: Parallel objects are in cycles, and the backends' own pools
    end in the background."""
    pools: list[ProcessPool] = []

    def make(*args: Any, **options: Any) -> ProcessPool:
        pools.append(ProcessPool(*args, **options))
        return pools[-1]

    monkeypatch.setattr(joblib_backend, "ProcessPool", make)
    yield
    gc.collect()
    for each in pools:
        with pytest.raises(ShutdownError):
            each.submit(os.getpid)
        each.shutdown()  # its end has begun, and is waited for
    mojo_seq._core.release_cached_memory()


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """A pool of two."""
    with ProcessPool(2) as made:
        yield made


def test_calls_are_made_in_workers() -> None:
    with joblib.parallel_config(backend="mojo_seq", n_jobs=2):
        pids = Parallel()(delayed(os.getpid)() for _ in range(20))
    assert os.getpid() not in pids
    assert len({*pids}) <= 2


def test_results_in_order() -> None:
    with joblib.parallel_config(backend="mojo_seq", n_jobs=2):
        assert Parallel()(delayed(pow)(n, 2) for n in range(300)) == [n * n for n in range(300)]


def test_all_cpus_by_default(pool: ProcessPool) -> None:
    with joblib.parallel_config(backend="mojo_seq"):
        assert joblib.effective_n_jobs() == joblib.cpu_count()
        assert joblib.effective_n_jobs(-1) == joblib.cpu_count()
        assert joblib.effective_n_jobs(3) == 3
        with pytest.raises(ValueError, match="n_jobs == 0"):
            joblib.effective_n_jobs(0)
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        assert joblib.effective_n_jobs() == 2
        assert joblib.effective_n_jobs(-2) == 1
        assert joblib.effective_n_jobs(9) == 2


def test_one_job_is_run_here() -> None:
    with joblib.parallel_config(backend="mojo_seq", n_jobs=1):
        assert Parallel()([delayed(os.getpid)()]) == [os.getpid()]


def test_a_block_keeps_its_workers() -> None:
    with joblib.parallel_config(backend="mojo_seq", n_jobs=2):
        first = {*Parallel()(delayed(os.getpid)() for _ in range(20))}
        second = {*Parallel()(delayed(os.getpid)() for _ in range(20))}
    assert len(first | second) <= 2


def test_a_pool_of_ours(pool: ProcessPool) -> None:
    ours = {pool.submit(os.getpid).result() for _ in range(20)}
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        pids = Parallel()(delayed(os.getpid)() for _ in range(20))
    found = Parallel(backend="mojo_seq", pool=pool)(delayed(os.getpid)() for _ in range(20))
    assert len(ours | {*pids} | {*found}) <= 2
    assert pool.submit(pow, 2, 2).result() == 4


def test_lambdas_and_closures(pool: ProcessPool) -> None:
    factor = 3
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        assert Parallel()(delayed(lambda n: n * factor)(n) for n in range(5)) == [0, 3, 6, 9, 12]


def test_what_cannot_be_pickled(pool: ProcessPool) -> None:
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        with pytest.raises(TypeError, match="cannot pickle"):
            Parallel()(delayed(id)(threading.Lock()) for _ in range(3))

        def endless() -> Iterator[Any]:
            """Then those that are dispatched on the pool's thread fail."""
            yield from (delayed(time.sleep)(0) for _ in range(8))
            while True:
                yield delayed(id)(threading.Lock())

        with pytest.raises(TypeError, match="cannot pickle"):
            Parallel(batch_size=1)(endless())


def test_an_exception_is_raised(pool: ProcessPool) -> None:
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        with pytest.raises(ZeroDivisionError):
            Parallel()(delayed(divmod)(1, n) for n in range(5))
        assert Parallel()(delayed(divmod)(1, n) for n in (1, 2)) == [(1, 0), (0, 1)]


def test_a_failure_cancels_the_rest(pool: ProcessPool, tmp_path: Path) -> None:
    with (
        joblib.parallel_config(backend="mojo_seq", pool=pool),
        pytest.raises(ZeroDivisionError),
    ):
        Parallel(pre_dispatch="all", batch_size=1)(
            [
                delayed(divmod)(1, 0),
                *[delayed(touch)(tmp_path / str(n)) for n in range(500)],
            ]
        )
    pool.shutdown()
    assert len(list(tmp_path.iterdir())) < 500


def touch(path: Path) -> None:
    """And goes on until it is cancelled."""
    path.touch()
    current_task().sleep(600)


def test_a_worker_that_dies(pool: ProcessPool) -> None:
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        with pytest.raises(WorkerDiedError) as caught:
            Parallel(batch_size=1)(delayed(kill_at)(n, 3) for n in range(9))
        assert caught.value.signal == signal.SIGKILL
        assert Parallel()(delayed(kill_at)(n, 99) for n in range(9)) == [*range(9)]


def kill_at(number: int, fatal: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_calls_that_take_too_long_are_ended(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib_backend, "_GRACE_PERIOD", 0.0)
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        with pytest.raises(multiprocessing.TimeoutError):
            Parallel(timeout=0.05)(delayed(signal.pause)() for _ in range(2))
        assert Parallel()(delayed(pow)(n, 2) for n in range(3)) == [0, 1, 4]


@pytest.mark.parametrize("how", ["generator", "generator_unordered"])
def test_results_as_a_generator(pool: ProcessPool, how: str) -> None:
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        results = Parallel(return_as=how)(delayed(pow)(n, 2) for n in range(20))
        assert sorted(results) == [n * n for n in range(20)]


def test_arrays(pool: ProcessPool) -> None:
    arrays = [np.full(1 << 18, number) for number in range(4)]
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        doubled = Parallel()(delayed(np.multiply)(each, 2) for each in arrays)
    for number, array in enumerate(doubled):
        assert np.all(array == 2 * number)


def test_threads_of_libraries_are_limited() -> None:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    with joblib.parallel_config(backend="mojo_seq", n_jobs=2, inner_max_num_threads=3):
        assert Parallel()(delayed(os.getenv)(name) for name in names) == ["3", "3"]


def test_nested_calls(pool: ProcessPool) -> None:
    with joblib.parallel_config(backend="mojo_seq", pool=pool):
        assert Parallel()(delayed(sum_of_squares)(n) for n in (2, 3)) == [1, 5]


def sum_of_squares(end: int) -> int:
    found: list[int] = Parallel(n_jobs=2)(delayed(pow)(n, 2) for n in range(end))
    return sum(found)


if importlib.util.find_spec("sklearn") is not None:

    def test_scikit_learn(pool: ProcessPool) -> None:
        from sklearn.datasets import make_classification
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV

        features, labels = make_classification(200, random_state=1)
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)
        with joblib.parallel_config(backend="mojo_seq", pool=pool):
            search.fit(features, labels)
        assert search.best_score_ > 0.7
