"""TaskGroup: tasks of a pool that never outlive a block."""

from __future__ import annotations

import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from mojo_seq import _core
from mojo_seq.sequence.cancel_errors import is_cancelled_error, is_exit
from mojo_seq.sequence.cancel_scope import CancelScope
from mojo_seq.sequence.cancellation import innermost, new_error, raise_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from mojo_seq.sequence.cancellation import Cancellation
    from mojo_seq.sequence.task_future import TaskFuture

    _P = ParamSpec("_P")
    _T = TypeVar("_T")

_MOST_LOOKED_AT = 256  # more tasks than threads, of which the first have begun


class GroupExecutor(Protocol):
    """What a pool gives to its groups."""

    can_kill: bool
    """Whether `kill_after` of a future does something."""

    def start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scope: Cancellation,
    ) -> Any:
        """Starts a task that is to end when `scope` does, and returns its TaskFuture."""

    def help(self, tasks: Callable[[], Iterable[Any]]) -> bool:
        """The caller waits for `tasks()`. May run one of them; whether it did."""


class TaskGroup:
    """Tasks that end with a block: `with pool.task_group() as group:`, or `async with` under
    asyncio and trio.

    Leaving the block waits for all tasks that were submitted. If one raises, or the block does,
    the others are cancelled; and when all have ended, all errors are raised in one ExceptionGroup,
    that of the block among them. Only KeyboardInterrupt and SystemExit are raised by themselves.
    The group is also cancelled by `cancel()`, and then ends quietly; and with the scope (see
    `move_on_after`), task or group that it was opened in, which then takes the CancelledError.

    Cancelling takes back the tasks that have not begun. Those that run are asked to end: they see
    it by `current_task()` and `check_cancelled()`; groups that they have opened are cancelled, and
    waits for their tasks end. Whatever a task raises then is an error as ever, but CancelledError
    is none. A task in a worker process that still runs after the grace period is ended by killing
    the worker. A thread is waited for. The body of the block is cancelled, too, like that of a
    scope.

    Tasks may submit more tasks to the group. The group's deadline, that of the scopes around it,
    goes with the tasks, which see it by themselves; those that do not look are ended when the
    block's thread next waits, or looks.

    In a task of a thread pool, waiting for other tasks of the pool runs those that have not begun:
    so groups nest to any depth, however few threads there are. Event loops are not held up by
    this: a task that runs one takes its thread until that ends.

    The first Ctrl-C while it waits cancels the group; a second one kills what can be killed, or
    gives up waiting for threads.
    """

    def __init__(self, executor: GroupExecutor, *, grace: float = 2.0) -> None:
        if not grace >= 0:
            raise _core.InvalidArgumentError(f"grace must not be negative, got {grace}")
        self._executor = executor
        self._grace = grace
        self._scope = CancelScope()
        self._node = self._scope._node
        self._lock = threading.Lock()
        self._open = False  # _lock
        self._starting = 0  # _lock: calls of submit that are under way
        self._pending: dict[Future[Any], None] = {}  # _lock
        self._errors: list[BaseException] = []  # _lock
        self._exit: BaseException | None = None  # _lock: a SystemExit, say, of a task
        self._cut_short = False  # it was cancelled before it had ended
        self._was_cancelled = False  # when its block ended
        self._on_news: Callable[[], object] | None = None

    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> TaskFuture[_T]:
        """Starts `fn(*args, **kwargs)`. Any thread, as long as the group has not ended.

        Returns:
            TaskFuture: its outcome: a concurrent.futures.Future that can also be awaited.

        Raises:
            CancelledError: the group, or the scope that the caller is in, is cancelled.
            RuntimeError: the block was not entered, or the group has ended.
            ShutdownError: the pool was shut down.
        """
        with self._lock:
            if not self._open:
                raise RuntimeError(f"{self!r} is not open: tasks are submitted in its block")
            self._starting += 1
        future: Any = None
        try:
            raise_if_cancelled(innermost())
            raise_if_cancelled(self._node)
            future = self._executor.start(fn, args, kwargs, self._node)
        finally:
            with self._lock:
                self._starting -= 1
                if future is not None:
                    self._pending[future] = None
            if future is None:
                self._tell()
        future.add_done_callback(self._on_done)
        if self._node.is_cancelled():
            self._cancel(future)
        return future  # type: ignore[no-any-return]

    def cancel(self) -> None:
        """Cancels all tasks, and the block; the group then ends quietly. Any thread."""
        self._scope.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether it is cancelled: by `cancel()`, a failure, or from outside."""
        return self._node.is_cancelled()

    # What happens to the tasks.

    def _on_done(self, future: Future[Any]) -> None:
        error = self._error_of(future)
        if error is not None:
            with self._lock:
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    self._exit = self._exit or error
                else:
                    self._errors.append(error)
            self._scope.cancel()
        with self._lock:
            del self._pending[future]
            over = not self._pending
        if over:
            self._tell()

    def _error_of(self, future: Any) -> BaseException | None:
        if future.cancelled():
            # The task may have seen before us that the time is up: the block is told by this.
            cancelled = self._node.is_cancelled()
            # Else it was by somebody who knows, unless the pool was shut down.
            if getattr(future, "skipped", False) and not cancelled:
                return _core.ShutdownError("the pool was shut down before the task began")
            return None
        error: BaseException | None = future.exception()
        if is_cancelled_error(error) and self._node.is_cancelled():
            return None
        return error

    def _on_cancelled(self) -> None:
        """The group is, by whatever means."""
        with self._lock:
            self._cut_short = self._open
            pending = list(self._pending)
        for future in pending:
            self._cancel(future)
        self._tell()

    def _cancel(self, future: Any) -> None:
        if not future.cancel():
            future.request_cancel()
            future.kill_after(self._grace)

    def _tell(self) -> None:
        if self._on_news is not None:
            self._on_news()

    # The block.

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._open = True
        self._node.listen(self, self._on_cancelled)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        try:
            error = self._begin_end(exc)
            interrupt = self._wait()
        except BaseException:
            self._open = False  # there is no way to wait
            self._scope.leave(None)
            raise
        try:
            return self._end(exc, error, interrupt)
        finally:
            del exc, error, interrupt  # what is raised refers to this frame

    async def __aenter__(self) -> Self:
        self.__enter__()
        if self._node.host is None:
            self.__exit__(None, None, None)
            raise RuntimeError("async with is for tasks of asyncio and trio; elsewhere use with")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        error = self._begin_end(exc)
        outside = await self._node.host.wait(self._is_over, self._set_on_news, self.cancel)
        try:
            return self._end(exc, error, outside)
        finally:
            del exc, error, outside

    def _set_on_news(self, on_news: Callable[[], object]) -> None:
        self._on_news = on_news

    def _begin_end(self, exc: BaseException | None) -> BaseException | None:
        """The block has ended, with an error perhaps; returns it if it is one of its own."""
        if exc is None:
            return None
        # Of a cancellation: by the event loop, or else by this group, if there was one.
        self._was_cancelled = self._node.is_cancelled()
        expected = is_cancelled_error(exc) and (
            self._was_cancelled or not isinstance(exc, Exception)
        )
        self._scope.cancel()
        return None if expected else exc

    def _is_over(self) -> bool:
        with self._lock:
            if not (self._pending or self._starting):
                self._open = False
            return not self._open

    def _wait(self) -> BaseException | None:
        """Blocks until all have ended. Returns the KeyboardInterrupt that came meanwhile."""
        event = _core.WaitableEvent()
        self._on_news = event.signal
        interrupt: BaseException | None = None
        interrupts = 0
        while True:
            try:
                event.reset()
                if self._is_over():
                    return interrupt
                if self._node.is_cancelled() or not self._executor.help(self._first_pending):
                    event.wait(self._node.next_look())
            except KeyboardInterrupt as error:
                interrupt = error
                interrupts += 1
                self._scope.cancel()
                if interrupts > 1:
                    for future in self._first_pending(None):
                        future.kill_after(0)
                if interrupts > (2 if self._executor.can_kill else 1):
                    return interrupt

    def _first_pending(self, count: int | None = _MOST_LOOKED_AT) -> list[Any]:
        with self._lock:
            return list(islice(self._pending, count))

    def _end(
        self, exc: BaseException | None, error: BaseException | None, outside: BaseException | None
    ) -> bool:
        """All tasks have ended. Raises what is to be raised; whether that leaves out `exc`.

        Args:
            exc: what the block raised.
            error: the same, if it is an error and not a cancellation.
            outside: what has interrupted the wait.
        """
        self._on_news = None
        self._node.unlisten(self)
        errors, self._errors = self._errors, []
        exit_, self._exit = self._exit, None
        if is_exit(outside) or is_exit(error):
            exit_ = outside if is_exit(outside) else error
            error = outside = None
        given = outside if exit_ is None else None
        if given is None and exit_ is None:
            if error is None:
                given = exc or self._error_from_outside()
            elif isinstance(error, BaseExceptionGroup):
                given, error = error, None  # trio takes its own out of it
        host = self._node.host
        # One that this group had not caused is for others.
        left = self._scope.leave(given, may_take=given is not exc or self._was_cancelled)
        if isinstance(left, BaseExceptionGroup):
            error, left = left, None
        if error is not None and not any(error is each for each in errors):
            errors.append(error)
        try:
            if exit_ is None and not errors:
                if left is None or left is exc:
                    return left is None
                raise left
            if exit_ is None:
                if left is not None and host is not None:
                    errors += host.put_off(left)
                raise BaseExceptionGroup("errors in a task group", errors) from None
            if exit_ is exc:
                return False
            raise exit_
        finally:
            # They would refer to this frame, and it to them.
            del exc, error, outside, exit_, given, left, errors

    def _error_from_outside(self) -> BaseException | None:
        """For the scope around it that has cancelled the group, if that is so."""
        parent = self._node._parent
        if not self._cut_short or parent is None or not parent.is_cancelled():
            return None
        return new_error(parent) if self._node.host is None else self._node.host.new_error()

    def __repr__(self) -> str:
        state = f"{len(self._pending)} tasks" if self._open else "not open"
        return f"<TaskGroup {state}{' cancelled' if self.cancelled else ''}>"
