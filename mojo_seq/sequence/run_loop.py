"""RunLoop: a sequence on the current thread."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.sequence.task_runner import SequencedTaskRunner


class LoopTaskRunner(_core.LoopSequence, SequencedTaskRunner):
    """The task runner of a RunLoop or of a single thread."""

    __slots__ = ()


class RunLoop:
    """Makes the current thread a sequence while it runs.

    `task_runner` may be posted to at any time, from any thread; the tasks run in `run()` or
    `run_until_idle()`, in the thread that calls it. Ctrl-C raises KeyboardInterrupt out of them.
    """

    __slots__ = ("__weakref__", "_task_runner")

    def __init__(self) -> None:
        environment = _core.current_environment()
        self._task_runner: LoopTaskRunner = (
            LoopTaskRunner() if environment is None else environment.make_loop_runner()
        )

    @classmethod
    def for_own_thread(cls) -> RunLoop:
        """One for a thread that the library itself starts: real also in a test environment."""
        loop = cls.__new__(cls)
        loop._task_runner = LoopTaskRunner()
        return loop

    @property
    def task_runner(self) -> SequencedTaskRunner:
        """The loop's sequence."""
        return self._task_runner

    def run(self) -> None:
        """Runs tasks until `quit()`. Tasks that are queued then stay for the next run.

        Raises:
            RuntimeError: the loop is running.
        """
        self._task_runner.run()

    def run_until_idle(self) -> None:
        """Runs tasks until none is ready (or `quit()`); does not wait for delayed ones.

        Raises:
            RuntimeError: the loop is running.
        """
        self._task_runner.run(until_idle=True)

    def quit(self) -> None:
        """Makes `run()` return after the task it is in. Any thread.

        Before `run()`, it makes the next `run()` return at once.
        """
        self._task_runner.quit()
