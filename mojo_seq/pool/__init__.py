"""Pools of worker processes."""

from mojo_seq.system.lazy_names import lazy_names

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.pool.broken_pool_error import BrokenPoolError
    from mojo_seq.pool.pool_options import PoolOptions
    from mojo_seq.pool.process_pool import ProcessPool
    from mojo_seq.pool.result_iterator import ResultIterator
    from mojo_seq.pool.worker_died_error import WorkerDiedError

# A worker needs nothing of what makes a pool.
__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "BrokenPoolError": "mojo_seq.pool.broken_pool_error",
        "PoolOptions": "mojo_seq.pool.pool_options",
        "ProcessPool": "mojo_seq.pool.process_pool",
        "ResultIterator": "mojo_seq.pool.result_iterator",
        "WorkerDiedError": "mojo_seq.pool.worker_died_error",
    },
)

__all__ = ["BrokenPoolError", "PoolOptions", "ProcessPool", "ResultIterator", "WorkerDiedError"]
