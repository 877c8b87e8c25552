"""Watching handles on a sequence, and blocking until they are ready."""

from mojo_seq._core import (
    ArmingPolicy,
    ReadyHandle,
    SimpleWatcher,
    WaitableEvent,
    WaitSet,
    WaitSetResult,
    wait,
    wait_many,
)

__all__ = [
    "ArmingPolicy",
    "ReadyHandle",
    "SimpleWatcher",
    "WaitSet",
    "WaitSetResult",
    "WaitableEvent",
    "wait",
    "wait_many",
]
