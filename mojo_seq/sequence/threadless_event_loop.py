"""asyncio's event loop, less what makes it a thread's: running, signals, threads of its own."""

from __future__ import annotations

import asyncio
import weakref

from mojo_seq.sequence.blocking_calls import shared_executor

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncGenerator, Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any, NoReturn, TypeVar

    from mojo_seq.sequence.loop_selector import LoopSelector

    _T = TypeVar("_T")

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """With those inner names of asyncio's loops that we rely on; the same in 3.11 to 3.13."""

        _asyncgens: weakref.WeakSet[AsyncGenerator[Any, Any]]
        _closed: bool
        _coroutine_origin_tracking_enabled: bool
        _current_handle: asyncio.Handle | None
        _debug: bool
        _default_executor: ThreadPoolExecutor | None
        _executor_shutdown_called: bool
        _ready: deque[asyncio.Handle]
        _selector: LoopSelector
        _thread_id: int | None

        def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None: ...
        def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[Any, Any]) -> None: ...
        def _check_callback(self, callback: object, method: str) -> None: ...
        def _check_closed(self) -> None: ...
        def _process_events(self, event_list: list[Any]) -> None: ...
        def _set_coroutine_origin_tracking(self, enabled: bool) -> None: ...

else:
    _AsyncioLoop = asyncio.SelectorEventLoop


class ThreadlessEventLoop(_AsyncioLoop):
    """What a SequenceEventLoop has in its place. Blocking calls run in an executor that all such
    loops share."""

    def __init__(self, selector: LoopSelector) -> None:
        self._executor_is_shared = False
        self._subprocesses: list[weakref.ref[asyncio.SubprocessTransport]] = []
        super().__init__(selector)

    def _make_self_pipe(self) -> None:
        """There is none: a sequence is woken by posting to it."""

    def _close_self_pipe(self) -> None:
        """See there."""

    def _write_to_self(self) -> None:
        """See there."""

    def is_running(self) -> bool:
        """True while a callback of this loop runs, whatever thread asks."""
        return self._thread_id is not None

    def run_forever(self) -> NoReturn:
        """Refused: the sequence runs the loop.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a SequenceEventLoop is run by its sequence: use create_task, call_soon")

    def run_until_complete(self, future: object) -> NoReturn:
        """Refused, as `run_forever`."""
        if asyncio.iscoroutine(future):
            future.close()
        self.run_forever()

    def stop(self) -> NoReturn:
        """Refused, as `run_forever`."""
        raise RuntimeError("a SequenceEventLoop is run by its sequence; it ends with close()")

    def add_signal_handler(self, sig: int, callback: object, *args: object) -> NoReturn:
        """Refused: signals are handled on the main thread.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a SequenceEventLoop handles no signals: it is not on the main thread")

    async def _make_subprocess_transport(
        self, *args: Any, **kwargs: Any
    ) -> asyncio.SubprocessTransport:
        made: asyncio.SubprocessTransport
        made = await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore[misc]
        known = [each for each in self._subprocesses if each() is not None]
        self._subprocesses = [*known, weakref.ref(made)]
        return made

    def run_in_executor(  # type: ignore[override]  # ParamSpec is not needed here
        self, executor: Any, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        """As asyncio's; the default executor is the shared one."""
        if executor is None and self._default_executor is None:
            self._check_closed()
            if not self._executor_shutdown_called:
                self._default_executor = shared_executor()
                self._executor_is_shared = True
        return super().run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # type: ignore[override]
        """As asyncio's: one that is given is shut down when the loop is closed."""
        super().set_default_executor(executor)
        self._executor_is_shared = False

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As asyncio's, but that the shared executor goes on for the others."""
        self._let_go_of_executor()
        await super().shutdown_default_executor(*args)

    def _let_go_of_executor(self) -> None:
        if self._executor_is_shared:
            self._default_executor = None
            self._executor_is_shared = False
