"""PoolTask: one call that a pool is to make, from its submission to its answer."""

from __future__ import annotations

from contextlib import suppress

from mojo_seq import _core
from mojo_seq.pool.call_text import describe
from mojo_seq.pool.pool_future import PoolFuture

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.task_link import TaskLink
    from mojo_seq.pool.task_options import TaskOptions
    from mojo_seq.process.object_codec import Encoded

_Call = tuple["Callable[..., object]", "tuple[Any, ...]", "dict[str, Any]"]


class PoolTask:
    """Its dispatcher's, whose lock guards where it is. Made by `new_task`.

    Attributes:
        future: its outcome.
        plain: its message, if that is nothing but bytes.
    """

    future: PoolFuture[Any]
    plain: bytes | None
    _call: _Call | None  # function, arguments and keyword arguments

    # Most tasks never change these, and cost no attributes.
    timeout: float | None = None  # seconds that it may run
    retries = 0  # how often it is run again after a worker's death
    deadline: float | None = None  # when it has to be over, which is for it to see
    on_item: Callable[[Any], object] | None = None  # see TaskOptions
    timer = 0  # the one that counts
    is_revoked = False  # cancelled before it had begun
    is_over = False  # answered, or given up
    cancel_asked = False
    verdict: BaseException | None = None  # why its worker is killed
    losses = 0  # workers that have died before they had begun it, or anything else
    link: TaskLink | None = None  # in whose pipe it is
    number = 0  # there
    _encoded: Encoded | None = None  # its message, if that is not plain
    _was_written = False
    is_prepared = False  # writing it takes but a moment, or fails

    def set_options(self, options: TaskOptions, deadline: float | None) -> None:
        """How it is to be run; before anybody else has it."""
        self.timeout = options.timeout
        self.retries = options.retries
        self.deadline = deadline
        self.on_item = options.on_item

    @property
    def is_movable(self) -> bool:
        """Whether it can be written a second time. Handles move with the first."""
        if self.plain is not None:
            return True
        return self._encoded is not None and not self._encoded.handles

    def prepare(self, pipe: _core.MessagePipeHandle) -> None:
        """Copies what is large in it, without the lock: by who submits it, or, once it is in the
        queue, by the dispatcher's thread. If that fails, so does writing it."""
        self.is_prepared = True
        encoded = self._encoded
        if encoded is not None:
            with suppress(_core.MojoError):
                encoded.prepare(pipe)

    def write_to(self, pipe: _core.MessagePipeHandle) -> None:
        """Of one that is not plain. Raises what `MessagePipeHandle.write` does."""
        assert self._encoded is not None
        self.is_prepared = False  # for another pipe, should it come to that
        self._encoded.write_to(pipe)
        self._was_written = True

    def describe(self) -> str:
        """What it calls."""
        return "" if self._call is None else describe(*self._call)

    def let_go(self, is_refused: bool = False) -> None:
        """It is over: nothing of it is needed any more.

        Args:
            is_refused: the handles in it stay the caller's; else nobody has those that were not
                sent.
        """
        self._call = self.plain = None
        encoded = self._encoded
        if encoded is not None:
            self._encoded = None
            encoded.discard()
            if not is_refused and not self._was_written:
                encoded.abandon()
        if self.on_item is not None:
            self.on_item = None


def new_task(dispatcher: Dispatcher, call: _Call, message: bytes | Encoded) -> PoolTask:
    """Makes a task. Not the class does it, as constructors take their time."""
    task = PoolTask()
    task._call = call
    if isinstance(message, bytes):
        task.plain = message
    else:
        task.plain = None
        task._encoded = message
    future: PoolFuture[Any] = PoolFuture()
    task.future = future
    future._task = task
    future._dispatcher = dispatcher
    return task
