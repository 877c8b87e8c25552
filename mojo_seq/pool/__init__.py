"""Pools of worker processes."""

from mojo_seq.pool.pool_worker import PoolWorker
from mojo_seq.pool.process_pool import ProcessPool

__all__ = [
    "PoolWorker",
    "ProcessPool",
]
