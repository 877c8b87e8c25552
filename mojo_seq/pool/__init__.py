"""Pools of worker processes."""

from mojo_seq.pool.process_pool import ProcessPool

__all__ = ["ProcessPool"]
