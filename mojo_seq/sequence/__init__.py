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
from mojo_seq.system.lazy_names import lazy_names

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.sequence.cancel_scope import CancelScope, fail_after, move_on_after
    from mojo_seq.sequence.running_task import CurrentTask, check_cancelled, current_task
    from mojo_seq.sequence.task_future import TaskFuture
    from mojo_seq.sequence.task_group import TaskGroup

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "CancelScope": "mojo_seq.sequence.cancel_scope",
        "CurrentTask": "mojo_seq.sequence.running_task",
        "TaskFuture": "mojo_seq.sequence.task_future",
        "TaskGroup": "mojo_seq.sequence.task_group",
        "check_cancelled": "mojo_seq.sequence.running_task",
        "current_task": "mojo_seq.sequence.running_task",
        "fail_after": "mojo_seq.sequence.cancel_scope",
        "move_on_after": "mojo_seq.sequence.cancel_scope",
    },
)

__all__ = [
    "AsyncioTaskRunner",
    "CancelScope",
    "CurrentTask",
    "OneShotTimer",
    "RepeatingTimer",
    "RunLoop",
    "SequenceChecker",
    "SequencedTaskRunner",
    "ShutdownBehavior",
    "TaskError",
    "TaskFuture",
    "TaskGroup",
    "TaskHandle",
    "TaskPriority",
    "TaskTraits",
    "ThreadPool",
    "ThreadPoolStatistics",
    "bind_post_task",
    "check_cancelled",
    "current_task",
    "fail_after",
    "move_on_after",
]
