"""CancelScope, move_on_after, fail_after: blocks that can be cancelled, and have a deadline."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mojo_seq import _core
from mojo_seq.sequence import cancellation
from mojo_seq.sequence.cancel_errors import is_cancelled_error
from mojo_seq.sequence.cancellation import Cancellation, innermost
from mojo_seq.sequence.event_loop_host import find_host

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Self


class CancelScope:
    """A block that can be cancelled: `with CancelScope() as scope:`.

    While the scope is cancelled, each of these raises CancelledError in its block, again and again
    until the block is left: `check_cancelled()`, submitting to a task group, waiting for its end,
    and waiting for the result of a task of a ThreadPool's or ProcessPool's group. Task groups in
    the block are cancelled with it, and their tasks, wherever they run, and what these wait for.
    The block takes the error, and the program goes on after it: see `cancelled_caught`.

    Whatever does not wait in one of these ways is not interrupted: computing, `time.sleep`, locks.
    In coroutines, under asyncio and trio, each `await` ends with the error of the event loop.

    Scopes nest: of several that are cancelled, the outermost takes the error. They are known to
    what runs in the block by a context variable. A message to an actor is not part of the block.

    A scope is entered once; `cancel()` may be called by any thread, also before that.

    Args:
        deadline: when it is cancelled by itself: seconds on `time.monotonic()`'s clock, in a test
            environment on its mock clock; None: never.
        shield: the block hears nothing of the cancellation of what is around it, for cleaning up:
            better with a deadline of its own. A worker process is killed all the same when the
            grace period of its task's group is over.

    Raises:
        InvalidArgumentError: the deadline is not a number.
        RuntimeError: on entering: it was entered before.
    """

    def __init__(self, *, deadline: float | None = None, shield: bool = False) -> None:
        self._node = Cancellation()
        self._node._shields = shield
        self._node._own_deadline = _checked(deadline, "deadline")
        self._delay: float | None = None
        self._fails = False
        self._entered = False
        self._token: Token[Cancellation | None] | None = None
        self._caught = False

    @property
    def deadline(self) -> float | None:
        """When it is cancelled by itself, if not before by an outer one; None: never."""
        return self._node._own_deadline

    @property
    def cancel_called(self) -> bool:
        """Whether it is cancelled itself: by `cancel()` or by its deadline."""
        self._node.is_cancelled()
        return self._node._asked

    @property
    def cancelled_caught(self) -> bool:
        """Whether the block ended early, by the error that the scope has taken."""
        return self._caught

    def cancel(self) -> None:
        """Cancels it. Any thread; idempotent."""
        self._node.cancel()

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a CancelScope is entered once")
        self._entered = True
        node, parent = self._node, innermost()
        node._parent = parent
        node._cell = _core.current_cell()
        if self._delay is not None:
            node._own_deadline = _core.monotonic() + self._delay
        node.host = find_host(parent)
        self._token = cancellation.enter(node)
        if node.host is not None:
            node.host.enter(node)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        left = self.leave(exc)
        if self._fails and self._caught and self._node._timed_out:
            raise _core.DeadlineExceededError("the block took too long") from exc
        if left is None or left is exc:
            return left is None
        raise left

    def leave(self, error: BaseException | None, *, may_take: bool = True) -> BaseException | None:
        """For groups: leaves the scope.

        Args:
            error: by which its block has ended.
            may_take: False: an error of cancellation that is none of the scope's.

        Returns:
            BaseException: what is left of the error, to be raised.
        """
        node, parent = self._node, self._node._parent
        assert self._token is not None
        # Not in the context that it was entered in: a generator is closed by somebody else. What
        # has ended is passed over there.
        with suppress(ValueError):
            cancellation.leave(self._token)
        left, none_else = error, True
        if node.host is not None:
            left, none_else = node.host.leave(node, error)
        outer = parent is not None and not node._shields and parent.is_cancelled()
        if left is not error:
            self._caught = True  # by the event loop
            if left is None and outer and parent is not None:
                self._caught = False
                left = cancellation.new_error(parent)  # of an outer scope outside of the loop
        elif (
            may_take
            and none_else
            and not outer
            and is_cancelled_error(error)
            and node.is_cancelled()
        ):
            self._caught, left = True, None
        node.end()
        return left

    def __repr__(self) -> str:
        state = " cancelled" if self.cancel_called else ""
        return f"<{type(self).__name__}{state}>"


def move_on_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """A scope that is cancelled so many seconds after it is entered; the program then goes on
    after its block.

    Args:
        seconds: 0 or less: at once; None or infinite: no deadline.
        shield: see CancelScope.

    Raises:
        InvalidArgumentError: not a number.
    """
    scope = CancelScope(shield=shield)
    scope._delay = _checked(seconds, "seconds")
    return scope


def fail_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """The same, but if its block ended early for that, DeadlineExceededError is raised, a
    TimeoutError, in place of CancelledError."""
    scope = move_on_after(seconds, shield=shield)
    scope._fails = True
    return scope


def _checked(time: float | None, name: str) -> float | None:
    if time is None:
        return None
    time = float(time)
    if time != time:
        raise _core.InvalidArgumentError(f"{name} is not a number")
    return None if time == float("inf") else time
