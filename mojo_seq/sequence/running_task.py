"""current_task and check_cancelled: what a running task knows of those who wait for it."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.sequence import cancellation
from mojo_seq.sequence.cancellation import Cancellation, innermost, raise_if_cancelled

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _T = TypeVar("_T")


class TaskState(Cancellation):
    """A task that runs, or will; for the layers here. What runs tasks makes one for each."""

    def __init__(
        self,
        parent: Cancellation | None = None,
        deadline: float | None = None,
        owner: object = None,
    ) -> None:
        if parent is not None:
            self._parent = parent
        if deadline is not None:
            self._own_deadline = deadline
        self.owner = owner
        """The pool that runs it, or None."""

    def send_item(self, item: Any) -> None:
        """Sends something to whoever waits for the task; nobody is interested, by default."""


class CurrentTask:
    """The task that is running, as seen from inside. See `current_task`.

    It may be kept, and asked by helpers of the task on other threads.
    """

    __slots__ = ("_state",)

    def __init__(self, state: TaskState) -> None:
        self._state = state

    def _node(self) -> Cancellation:
        """The innermost scope of the caller, if that is inside the task."""
        node = above = innermost()
        while above is not None and above is not self._state:
            above = above._parent
        return self._state if above is None or node is None else node

    @property
    def cancelled(self) -> bool:
        """Whether the task should come to an end: its group was cancelled, or a deadline has
        passed, of a scope inside the task, too, if the caller is in it. It stays so."""
        return self._node().is_cancelled()

    @property
    def deadline(self) -> float | None:
        """When it will be cancelled: seconds on `time.monotonic()`'s clock; None: there is no
        deadline."""
        return self._node().deadline

    def check_cancelled(self) -> None:
        """Raises if it is cancelled, each time.

        Raises:
            CancelledError: it is. To be let out of the task, which has then ended as it should.
        """
        raise_if_cancelled(self._node())

    def sleep(self, seconds: float) -> None:
        """Sleeps, but no longer than until the task is cancelled.

        Args:
            seconds: on the monotonic clock; in a test environment on its mock clock.

        Raises:
            CancelledError: the task is cancelled.
            InvalidArgumentError: not a number.
        """
        if seconds != seconds:
            raise _core.InvalidArgumentError("the time to sleep is not a number")
        node = self._node()
        event = _core.WaitableEvent()
        end = _core.monotonic() + seconds
        node.listen(event, event.signal)
        try:
            raise_if_cancelled(node)
            while _core.monotonic() < end:
                event.wait(node.next_look(end))
                raise_if_cancelled(node)
        finally:
            node.unlisten(event)

    def report(self, done: float, total: float | None = None) -> None:
        """Tells those who follow the progress of a call of a process pool how far this task is.

        Args:
            done: how much is done.
            total: of how much; None: unknown.
        """
        self._state.send_item((done, total))

    def __repr__(self) -> str:
        state = " cancelled" if self.cancelled else ""
        return f"<CurrentTask{state}>"


def current_task() -> CurrentTask:
    """The task that the caller is in: of a task group, a process pool or an actor pool.

    What was just posted or submitted to a ThreadPool, or asked of an actor in another process, is
    none. It may be called at any depth, also in an event loop that the task runs, and in other
    threads that got the task's context variables, as those of `asyncio.to_thread` do.

    Raises:
        RuntimeError: this is no such task.
    """
    node = innermost()
    while node is not None:
        if isinstance(node, TaskState):
            return CurrentTask(node)
        node = node._parent
    raise RuntimeError("not in a task of a group, a process pool or an actor pool")


def check_cancelled() -> None:
    """Raises if the caller should stop: the task, group or scope that it is in is cancelled.

    Outside of all of them nothing happens. To be called now and then by whatever takes long. It
    raises each time until the cancelled block, or the task, has ended.

    Raises:
        CancelledError: to be let out; the cancelled block, or task, takes it.
    """
    raise_if_cancelled(innermost())


def run_in_task(
    state: TaskState, fn: Callable[..., _T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> _T:
    """For what runs tasks: `fn(*args, **kwargs)`, in which `current_task()` is that of `state`."""
    state._cell = _core.current_cell()
    token = cancellation.enter(state)
    try:
        return fn(*args, **kwargs)
    finally:
        cancellation.leave(token)
        state.end()


def set(state: TaskState | None) -> None:
    """For a thread that does nothing but run tasks: what it runs from now on; None: nothing.
    Cheaper than `run_in_task`; whoever calls it ends the state."""
    cancellation.enter(state)
