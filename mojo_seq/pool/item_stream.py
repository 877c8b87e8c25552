"""ItemStream: the iterator of `stream`."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.pool.arrivals import Arrivals
from mojo_seq.pool.imap import raisable
from mojo_seq.pool.item_source import CREDITS, END, ItemSource
from mojo_seq.pool.result_iterator import PENDING, ResultIterator
from mojo_seq.pool.task_options import TaskOptions
from mojo_seq.process.object_codec import decode
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.progress import Progress
    from mojo_seq.pool.starting import Start

T_co = TypeVar("T_co", covariant=True)

_GRACE_PERIOD = 2.0  # of a generator that was closed, as task groups have it
_MOST_CREDITS = 1024  # in one message


class ItemStream(ResultIterator[T_co]):
    """Items of a generator in a worker, as they are made. The task is started at once.

    What the generator returns is the value of the StopIteration at the end, so that `yield from`
    has it.

    Args:
        start: starts the task.
        fn, args, kwargs: of the generator.
        room: how many items may have been made and not been taken.
        progress: told of how many items were taken, or of what the task has reported.
    """

    def __init__(
        self,
        start: Start,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        room: int,
        progress: Progress | None,
    ) -> None:
        self._arrivals = Arrivals()
        super().__init__(bell := self._arrivals.bell)
        self._progress = progress
        self._credits = 0  # not given back yet
        self._batch = min(max(1, room // 2), _MOST_CREDITS)
        self._taken = 0
        self._arrived: deque[_core.Message] = deque()
        self._closed = False
        self._drained = False  # there will be no more items; how it has ended is still to come
        if progress is not None:
            progress.update(0, None)
        self._pipe, far = _core.create_message_pipe()
        self._watcher = _core.Watcher(lambda *notification: bell.ring())
        try:
            scope = innermost()
            raise_if_cancelled(scope)
            self._future: PoolFuture[Any] = start(
                ItemSource(fn, room),
                (far, *args),
                kwargs,
                TaskOptions(scope=scope, on_item=partial(self._arrivals.report, 0)),
            )
        except BaseException:
            far.close()
            self._release()
            raise
        self._watcher.watch(self._pipe, _core.Signals.READABLE, None)
        self._future.add_done_callback(bell.ring)

    def _poll(self) -> T_co:
        if self._closed:
            raise StopIteration
        self._show_progress()
        if not self._arrived and not self._drained:
            self._read()
        if self._arrived:
            return self._decode(self._arrived.popleft())
        if self._drained and self._future.done():
            self._end()
        return PENDING  # type: ignore[no-any-return]

    def close(self) -> None:
        """Closes the generator in the worker, too: at its next item, or, if there is none within
        2 s, by killing the worker, which is replaced. What has arrived is dropped."""
        if self._closed:
            return
        self._release()
        if not self._future.done():
            self._future.request_cancel()
            self._future.kill_after(_GRACE_PERIOD)

    def end(self) -> None:
        """For the pool that is being shut down: the generator is closed at its next item. What was
        made can still be taken; then comes a ShutdownError. Any thread; does not wait."""
        with suppress(_core.MojoError):  # it has ended
            self._pipe.write(CREDITS.pack(END))

    def _release(self) -> None:
        self._closed = True
        self._watcher.close()
        self._pipe.close()
        self._bell.ring()
        while self._arrived:
            self._arrived.popleft().close()
        if self._progress is not None:
            self._progress.close()

    def _read(self) -> None:
        try:
            self._arrived.extend(self._pipe.read_batch())
        except _core.PeerClosedError:
            self._drained = True
            self._watcher.close()
            self._pipe.close()
        except _core.InvalidArgumentError:
            return  # another thread closes the stream

    def _decode(self, message: _core.Message) -> T_co:
        self._taken += 1
        self._credits += 1
        if self._credits >= self._batch and not self._drained:
            with suppress(_core.MojoError):  # it has ended, or another thread closes the stream
                self._pipe.write(CREDITS.pack(self._credits))
            self._credits = 0
        return decode(message)  # type: ignore[no-any-return]

    def _must_wait(self) -> bool:
        """Whether to wait for the bell: nothing has come since it was polled."""
        if self._drained:
            return not self._future.done()
        try:
            return not self._watcher.arm()
        except _core.MojoError:
            return False  # another thread closes the stream

    def _end(self) -> None:
        self._release()
        future = self._future
        error = CancelledError() if future.cancelled() else future.exception()
        try:
            if error is not None:
                raise raisable(error)
        finally:
            del error
        raise StopIteration(future.result())

    def _show_progress(self) -> None:
        if self._progress is not None:
            done, total = self._arrivals.reports.get(0, (self._taken, None))
            self._progress.update(done, None if total is None else int(total))
