"""Where workers run: on sequences of this process, or in processes of their own.

Either way a worker is a pipe to the reader, and the same code at its other end.
"""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from mojo_seq import (
    AbortedError,
    ChildProcess,
    DeadlineExceededError,
    MessagePipeHandle,
    RunLoop,
    SequencedTaskRunner,
    TaskError,
    create_message_pipe,
    spawn_process,
)
from mojo_seq.cli.lost_worker import LostWorker
from mojo_seq.cli.worker import Worker

GRACE_PERIOD = 2.0  # seconds that processes get to end by themselves


class Workers(ABC):
    """A number of workers. Their pipes go to the reader; all else is the main thread's."""

    def __init__(self, count: int) -> None:
        self.count = count

    @abstractmethod
    def start(self, make_runner: Callable[[], SequencedTaskRunner]) -> list[MessagePipeHandle]:
        """Start them all; the pipes to them. `make_runner` makes sequences of the thread pool."""

    @abstractmethod
    def explain_loss(self, number: int) -> LostWorker:
        """What has become of worker `number` (1, 2, ...), whose pipe is closed."""

    @abstractmethod
    def close(self) -> None:
        """End those that are left. To be called when the pool is no more, whatever was started."""

    @abstractmethod
    def kill(self) -> None:
        """End what would outlive this process. Can be called in a signal handler."""


class WorkerSequences(Workers):
    """On sequences of this process."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._hosted: list[Worker] = []  # a sequence keeps no objects alive, we do

    def start(self, make_runner: Callable[[], SequencedTaskRunner]) -> list[MessagePipeHandle]:
        pipes = [create_message_pipe() for _ in range(self.count)]
        for _, far_end in pipes:
            make_runner().post_task(self._host, far_end)
        return [near_end for near_end, _ in pipes]

    def _host(self, pipe: MessagePipeHandle) -> None:
        self._hosted.append(Worker(pipe))

    def explain_loss(self, number: int) -> LostWorker:
        raise RuntimeError(f"worker {number} has closed its pipe")  # there is no reason to

    def close(self) -> None:
        for worker in self._hosted:
            worker.close()  # one that was busy when the pool was left has not been told of the end

    def kill(self) -> None:
        """There is nothing."""


class WorkerProcesses(Workers):
    """Each in a process of its own, which may die."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._children: list[ChildProcess | None] = []

    def start(self, make_runner: Callable[[], SequencedTaskRunner]) -> list[MessagePipeHandle]:
        # The children keep this mask: Ctrl-C is for us, who end them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return [self._start_one(number) for number in range(1, self.count + 1)]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_one(self, number: int) -> MessagePipeHandle:
        try:
            child = spawn_process(serve, name=f"worker {number}")
        except AbortedError:  # killed at once; as good as lost
            self._children.append(None)
            near_end, far_end = create_message_pipe()
            far_end.close()
            return near_end
        self._children.append(child)
        return child.pipe

    def explain_loss(self, number: int) -> LostWorker:
        child = self._children[number - 1]
        if child is None:
            return LostWorker(number, None, None)
        return LostWorker(number, child.pid, _end(child, GRACE_PERIOD))

    def close(self) -> None:
        children = [child for child in self._children if child is not None]
        for child in children:
            child.pipe.close()
        end = time.monotonic() + GRACE_PERIOD
        for child in children:
            _end(child, end - time.monotonic())

    def kill(self) -> None:
        for child in self._children:  # they end with us, but not those that somebody has stopped
            if child is not None:
                child.kill()


def _end(child: ChildProcess, timeout: float) -> int:
    """Wait for the end of a process whose pipe is closed; help it if that takes too long."""
    try:
        return child.wait(timeout)
    except DeadlineExceededError:
        child.kill()
        return child.wait()


def serve(pipe: MessagePipeHandle) -> None:
    """What a worker process does: it is a worker until the other end of `pipe` is closed."""
    hosted: list[Worker] = []
    defects: list[BaseException] = []
    loop = RunLoop()

    def on_failure(error: TaskError) -> None:
        defects.append(error.exception)
        loop.quit()

    loop.task_runner.exception_handler = on_failure
    loop.task_runner.post_task(lambda: hosted.append(Worker(pipe, on_closed=loop.quit)))
    loop.run()
    for worker in hosted:
        worker.close()
    if defects:
        raise defects[0]
