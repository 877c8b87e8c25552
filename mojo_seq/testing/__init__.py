"""Testing what runs on sequences: one thread, mock time, schedules that can be repeated.

The names here are imported when they are first used: pytest imports this package for its plugin
in every run, whether a test wants one or not.
"""

from importlib import import_module

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.testing.deadlock_error import DeadlockError, NestingError
    from mojo_seq.testing.exploration import explore
    from mojo_seq.testing.probe import Probe, ProbeMessage
    from mojo_seq.testing.task_environment import TaskEnvironment

__all__ = [
    "DeadlockError",
    "NestingError",
    "Probe",
    "ProbeMessage",
    "TaskEnvironment",
    "explore",
]

_HOMES = {
    "DeadlockError": "mojo_seq.testing.deadlock_error",
    "NestingError": "mojo_seq.testing.deadlock_error",
    "Probe": "mojo_seq.testing.probe",
    "ProbeMessage": "mojo_seq.testing.probe",
    "TaskEnvironment": "mojo_seq.testing.task_environment",
    "explore": "mojo_seq.testing.exploration",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
