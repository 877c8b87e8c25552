"""TaskLink: the pool's end of a worker's task pipe, and the tasks in it."""

from __future__ import annotations

from collections import deque
from time import monotonic

from mojo_seq import _core
from mojo_seq.pool import board
from mojo_seq.pool.task_server import serve_tasks

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.pool.pool_task import PoolTask
    from mojo_seq.pool.pool_worker import PoolWorker


class TaskLink:
    """Guarded by its dispatcher's lock; the pipe is read by the dispatcher's thread.

    Args:
        worker: started if it was not.
        left: how many tasks it may run; None: any number.

    Raises:
        Whatever `PoolWorker.open_service` raises.
    """

    __slots__ = (
        "_first",
        "_written",
        "board",
        "is_doomed",
        "is_lost",
        "is_ready",
        "is_stale",
        "last_answer",
        "left",
        "pipe",
        "process",
        "sent",
        "worker",
    )

    def __init__(self, worker: PoolWorker, left: int | None) -> None:
        self.worker = worker
        self.left = left
        self.board, memory = board.create()
        try:
            self.pipe = worker.open_task_service(serve_tasks, memory)
        except BaseException:
            memory.close()
            raise
        assert worker.process is not None
        self.process = worker.process
        self.sent: deque[PoolTask | None] = deque()  # None: was taken back; an answer comes still
        self._written: list[None] = []  # not empty: the last task was
        self._first = 0  # the number of the first of them
        self.is_ready = False  # it has said so
        self.is_doomed = False  # gets no more tasks
        self.is_lost = False
        self.is_stale = False  # it takes longer than it was given work for
        self.last_answer = monotonic()

    def room(self, depth: int) -> int:
        """For how many tasks there is room, if `depth` may be in the pipe."""
        if self.is_doomed:
            return 0
        if not self.is_ready:
            depth = 1
        if self.left is not None:
            # What actors live on cannot be replaced now, and may be all there is.
            depth = min(depth, len(self.sent) + self.left) if self.left > 0 else self._last_resort()
        return depth - len(self.sent)

    def _last_resort(self) -> int:
        return 1 if self.worker.load else 0

    def send(self, task: PoolTask) -> None:
        """Writes a task to the pipe. Raises what `MessagePipeHandle.write` does.

        Ctrl-C may come between any two steps, and must not leave in doubt what is in the pipe.
        """
        number = self._first + len(self.sent)
        self.board.put(number)
        if not self.sent:
            self.last_answer = monotonic()
        task.link = self
        task.number = number
        self._written.clear()
        try:
            self.sent.append(task)
            payload = task.plain
            if payload is None:
                task.write_to(self.pipe)
                self._written.append(None)
            else:  # one step, as all of it is the interpreter's own
                self._written.extend(map(self.pipe.write, (payload,)))
        except BaseException as error:
            if self._written:
                raise  # it will be done
            self._undo(task)
            if not isinstance(error, Exception) and task.plain is None:
                self.is_doomed = True  # nobody knows: the others do what it has
                self.process.kill()
            raise
        if self.left is not None:
            self.left -= 1

    def send_plain(self, tasks: list[PoolTask], messages: list[bytes]) -> None:
        """Writes plain tasks to the pipe at once, all or none; on the dispatcher's thread, which
        Ctrl-C does not interrupt. Raises what `MessagePipeHandle.write` does."""
        number = self._first + len(self.sent)
        self.board.put_many(number, len(tasks))
        if not self.sent:
            self.last_answer = monotonic()
        self.pipe.write_batch(messages)
        for task in tasks:
            task.link = self
            task.number = number
            number += 1
        self.sent.extend(tasks)
        if self.left is not None:
            self.left -= len(tasks)

    def _undo(self, task: PoolTask) -> None:
        if self.sent and self.sent[-1] is task:
            self.sent.pop()
        task.link = None

    def pop(self) -> PoolTask | None:
        """The first task was answered."""
        task = self.sent.popleft()
        self._first += 1
        if task is not None:
            task.link = None
            task.is_over = True
        return task

    def take_back(self) -> list[PoolTask]:
        """Those that have not begun and can be written again, in their order."""
        taken: list[PoolTask] = []
        for place in reversed(range(len(self.sent))):
            task = self.sent[place]
            if task is None or task.is_revoked or not task.is_movable:
                continue
            if not self.board.revoke(task.number):
                break  # it has begun, and so have those before it
            self.sent[place] = None
            task.link = None
            taken.append(task)
        taken.reverse()
        if self.left is not None:
            self.left += len(taken)
        return taken

    def is_gone(self) -> bool:
        """Whether nobody reads the pipe any more."""
        try:
            return self.pipe.query_signals_state().peer_closed
        except _core.InvalidArgumentError:
            return True  # closed here

    def has_answers(self) -> bool:
        """Whether there are some that were not read yet."""
        return _core.wait(self.pipe, _core.Signals.READABLE, 0)[0] is _core.Result.OK

    def last_begun(self) -> PoolTask | None:
        """The task that runs, or was the last to run and is not answered yet."""
        for task in reversed(self.sent):
            if task is not None and self.board.has_begun(task.number):
                return task
        return None

    def close(self) -> None:
        """The worker ends its service."""
        self.is_doomed = True
        self.pipe.close()
