"""Testing what runs on sequences: one thread, mock time, schedules that can be replayed."""

from mojo_seq.testing.deadlock_error import DeadlockError
from mojo_seq.testing.explore import explore
from mojo_seq.testing.task_environment import TaskEnvironment

__all__ = ["DeadlockError", "TaskEnvironment", "explore"]
