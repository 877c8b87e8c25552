"""PoolTask: one call that a pool is to make, from its submission to its answer."""

from __future__ import annotations

from mojo_seq.pool.call_text import describe
from mojo_seq.pool.pool_future import PoolFuture

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq import _core
    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.task_link import TaskLink
    from mojo_seq.process.object_codec import Encoded

_Call = tuple["Callable[..., object]", "tuple[Any, ...]", "dict[str, Any]"]


class PoolTask:
    """Its dispatcher's, whose lock guards where it is.

    Args:
        call: function, arguments and keyword arguments.
        encoded: the same.
        timeout: seconds that it may run; None: no limit.
        retries: how often it is run again after a worker's death.
        deadline: when it has to be over (time.monotonic()), which is for it to see; or None.
        on_item: see `TaskStarter._start`.
    """

    __slots__ = (
        "_call",
        "_encoded",
        "_was_written",
        "cancel_asked",
        "deadline",
        "future",
        "is_over",
        "is_revoked",
        "link",
        "losses",
        "number",
        "on_item",
        "retries",
        "timeout",
        "timer",
        "verdict",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        call: _Call,
        encoded: Encoded,
        timeout: float | None,
        retries: int,
        deadline: float | None,
        on_item: Callable[[Any], object] | None,
    ) -> None:
        self._call: _Call | None = call
        self._encoded: Encoded | None = encoded
        self._was_written = False
        self.timeout = timeout
        self.retries = retries
        self.deadline = deadline
        self.on_item = on_item
        self.is_revoked = False  # cancelled before it had begun
        self.is_over = False  # answered, or given up
        self.timer = 0  # the one that counts
        self.link: TaskLink | None = None  # in whose pipe it is
        self.number = 0  # there
        self.cancel_asked = False
        self.verdict: BaseException | None = None  # why its worker is killed
        self.losses = 0  # workers that have died before they had begun it, or anything else
        self.future: PoolFuture[Any] = PoolFuture(self, dispatcher)

    @property
    def is_movable(self) -> bool:
        """Whether it can be written a second time. Handles move with the first."""
        return self._encoded is not None and not self._encoded.handles

    def write_to(self, pipe: _core.MessagePipeHandle) -> None:
        """Raises what `MessagePipeHandle.write` does."""
        assert self._encoded is not None
        self._encoded.write_to(pipe)
        self._was_written = True

    @property
    def plain(self) -> bytes | None:
        """Its message, if that is nothing but bytes."""
        return None if self._encoded is None else self._encoded.plain

    def describe(self) -> str:
        """What it calls."""
        return "" if self._call is None else describe(*self._call)

    def let_go(self, is_refused: bool = False) -> None:
        """It is over: nothing of it is needed any more.

        Args:
            is_refused: the handles in it stay the caller's; else nobody has those that were not
                sent.
        """
        self._call = None
        encoded, self._encoded = self._encoded, None
        if encoded is not None:
            encoded.discard()
            if not is_refused and not self._was_written:
                encoded.abandon()
        self.on_item = None
