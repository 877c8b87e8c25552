"""Sequences: tasks that run one at a time, in order, on a thread that somebody else chose."""

from mojo_seq._core import TaskError, TaskHandle, ThreadPoolStatistics
from mojo_seq.sequence.asyncio_task_runner import AsyncioTaskRunner
from mojo_seq.sequence.bind_post_task import bind_post_task
from mojo_seq.sequence.run_loop import RunLoop
from mojo_seq.sequence.sequence_checker import SequenceChecker
from mojo_seq.sequence.task_runner import SequencedTaskRunner
from mojo_seq.sequence.task_traits import ShutdownBehavior, TaskPriority, TaskTraits
from mojo_seq.sequence.thread_pool import ThreadPool
from mojo_seq.sequence.timer import OneShotTimer, RepeatingTimer

__all__ = [
    "AsyncioTaskRunner",
    "OneShotTimer",
    "RepeatingTimer",
    "RunLoop",
    "SequenceChecker",
    "SequencedTaskRunner",
    "ShutdownBehavior",
    "TaskError",
    "TaskHandle",
    "TaskPriority",
    "TaskTraits",
    "ThreadPool",
    "ThreadPoolStatistics",
    "bind_post_task",
]
