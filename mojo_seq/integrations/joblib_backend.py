"""A backend of joblib that runs its calls in a ProcessPool (the extra `mojo_seq[joblib]`).

    from mojo_seq.integrations import joblib_backend
    joblib_backend.register()
    with joblib.parallel_config(backend="mojo_seq"):
        results = joblib.Parallel()(joblib.delayed(function)(each) for each in things)

What uses joblib, such as scikit-learn, needs no change. Compared to joblib's own processes (loky),
a worker that dies fails the call of Parallel with WorkerDiedError and is replaced, so that the next
call works; and arrays travel in shared memory, whatever their size. They are read-only there.
"""

from __future__ import annotations

import weakref
from abc import ABCMeta
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from joblib import cpu_count, register_parallel_backend
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from mojo_seq.pool import ProcessPool

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MojoSeqBackend", "register"]

NAME = "mojo_seq"
_GRACE_PERIOD = 2.0  # of calls that run when joblib gives up, as task groups have it


def register(*, make_default: bool = False) -> None:
    """Makes the backend known to joblib, as "mojo_seq".

    Args:
        make_default: use it wherever no backend is named.
    """
    register_parallel_backend(NAME, MojoSeqBackend, make_default=make_default)


class MojoSeqBackend(AutoBatchingMixin, ParallelBackendBase, metaclass=ABCMeta):  # type: ignore[misc]
    """What joblib makes by the name "mojo_seq"; parameters of `parallel_config` come here.

    It has a pool of its own, which is started when it is first needed, and ends with the backend:
    that is, at the end of the `parallel_config` block, or with the Parallel object. Ctrl-C, a
    timeout and a failed call end all other calls: those that run are asked to end, and killed 2 s
    later.

    Args:
        pool: use this one, and leave it running. Its threads are not limited then.
        options: joblib's own; `inner_max_num_threads` is how many threads libraries like BLAS may
            use in each worker (by default so many that all workers together have one per CPU).
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    def __init__(self, pool: ProcessPool | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._given = pool
        self._pool: ProcessPool | None = None
        self._own: tuple[ProcessPool, int, dict[str, str], weakref.finalize[Any, Any]] | None = None
        self._futures: set[Future[Any]] = set()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many calls will run at a time.

        Args:
            n_jobs: as joblib has it: -1 stands for all CPUs, or all workers of a given pool, and
                -2 for one less; None for 1.

        Raises:
            ValueError: it is 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        most = cpu_count() if self._given is None else self._given.max_workers
        if n_jobs < 0:
            return max(int(most) + 1 + n_jobs, 1)
        return n_jobs if self._given is None else min(n_jobs, most)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        pool: ProcessPool | None = None,
        **options: Any,
    ) -> int:
        """Called by joblib before calls are made."""
        if pool is not None:
            self._given = pool
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._pool = self._own_pool(n_jobs) if self._given is None else self._given
        return n_jobs

    def submit(
        self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None
    ) -> Future[Any]:
        """Called by joblib, also on the pool's thread: so nothing is raised here."""
        assert self._pool is not None
        future: Future[Any]
        try:
            future = self._pool.submit(func)
        except Exception as error:
            future = Future()
            future.set_exception(error)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future: Future[Any]) -> Any:
        """Called by joblib when a future is done."""
        return future.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Called by joblib when one has failed, or all takes too long. The pool stays ready."""
        for future in list(self._futures):
            if not future.cancel() and not future.done():
                future.request_cancel()  # type: ignore[attr-defined]  # they are the pool's
                future.kill_after(_GRACE_PERIOD)  # type: ignore[attr-defined]

    def terminate(self) -> None:
        """Called by joblib after each call of a Parallel. The workers are kept for the next."""
        self.reset_batch_stats()

    def _own_pool(self, n_jobs: int) -> ProcessPool:
        environment: dict[str, str] = self._prepare_worker_env(n_jobs=n_jobs)
        if self._own is not None:
            pool, size, found, finalizer = self._own
            if (size, found) == (n_jobs, environment):
                return pool
            finalizer()
        pool = ProcessPool(n_jobs, environment=environment)
        finalizer = weakref.finalize(self, pool.shutdown, wait=False)
        finalizer.atexit = False  # the pool knows of that itself
        self._own = pool, n_jobs, environment, finalizer
        return pool
