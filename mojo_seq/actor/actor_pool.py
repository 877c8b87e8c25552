"""ActorPool: equal actors that share their work."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from mojo_seq import _core
from mojo_seq.actor.actor import Actor
from mojo_seq.actor.actor_call import ActorCall
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.actor_system import ActorSystem
from mojo_seq.actor.reply import Reply
from mojo_seq.actor.supervisor import Supervisor
from mojo_seq.sequence import ShutdownBehavior, TaskTraits
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled
from mojo_seq.sequence.running_task import TaskState
from mojo_seq.sequence.shut_down_at_exit import ShutDownAtAsyncExit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import overload

    from mojo_seq.actor.actor_task_group import ActorTaskGroup
    from mojo_seq.sequence.cancellation import Cancellation
    from mojo_seq.sequence.task_future import TaskFuture

    _B = TypeVar("_B", bound=Actor)
    _P = ParamSpec("_P")
    _T = TypeVar("_T")

A = TypeVar("A", bound=Actor)


class ActorPool(ShutDownAtAsyncExit, Generic[A]):
    """Actors of one class that do whatever is submitted, each one call at a time: a pool whose
    workers have a state, a connection or a loaded model, say.

    `pool.submit(Model.predict, x)` calls the method of an actor that is idle, or of the first that
    will be. What waits, waits in the pool: it goes to nobody who is busy, can be taken back, and is
    unlimited. An actor that fails is restarted, see Supervisor; an exception of a submitted call is
    no failure, but the call's outcome. If the supervisor gives up, calls fail with ActorDeadError.

    Leaving a `with` or `async with` block does what was submitted, and ends the actors. Any thread.

    Args:
        actor_class: of the actors, which are made by `actor_class(*args, **kwargs)`.
        size: how many; None: one for each CPU that this process may use, or for each worker of the
            ProcessPool.
        system: whose actors they are, and whose threads they use; None: one of the pool's own.
        on: where they run, see `ActorSystem.spawn`.
        supervisor: what becomes of those that fail; None: they are restarted, up to three times as
            many as there are within 5 s.

    Raises:
        TypeError: actor_class is no subclass of Actor, or an argument has the wrong type.
        InvalidArgumentError: size is less than 1.
        ShutdownError: the system, or what they were to run on, was shut down.
    """

    def __init__(
        self,
        actor_class: type[A],
        /,
        *args: Any,
        size: int | None = None,
        system: ActorSystem | None = None,
        on: Any = None,
        supervisor: Supervisor | None = None,
        **kwargs: Any,
    ) -> None:
        if not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
            raise TypeError(f"expected a subclass of Actor, not {actor_class!r}")
        if size is None:
            size = getattr(on, "max_workers", None) or len(os.sched_getaffinity(0))
        if size < 1:
            raise _core.InvalidArgumentError(f"size must be at least 1, not {size}")
        self._lock = threading.Lock()
        self._queue = deque[ActorCall]()  # _lock
        self._unfinished = 0  # _lock: tasks that wait or are under way
        self._closed = False  # _lock
        self._finished = _core.WaitableEvent()
        self._on_finished: Callable[[], object] | None = None
        self._name = f"{actor_class.__name__} x {size}"
        self._own_system = ActorSystem(size + 1, name="actor-pool") if system is None else None
        self._system: ActorSystem = system or self._own_system  # type: ignore[assignment]
        if supervisor is None:
            supervisor = Supervisor(max_restarts=3 * size)
        keeper = self._keeper = self._system.spawn(_Keeper, supervisor=supervisor)
        try:
            make = keeper.ask(_Keeper.spawn_all, size, actor_class, args, kwargs, on)
            members = make.result()
            # Calls go out from here: a message that is sent by an actor would be in its service.
            self._runner = self._system._pool.create_sequenced_task_runner(
                traits=TaskTraits(shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)
            )
        except BaseException:
            self._stop().result()
            if self._own_system is not None:
                self._own_system.shutdown()
            raise
        self._idle = deque[ActorRef[Any]](members)  # _lock
        self._busy = 0  # _lock
        self._methods = members[0]._methods
        self._method_name = members[0]._method_name

    if TYPE_CHECKING:

        @overload
        def submit(
            self: ActorPool[_B],
            method: Callable[Concatenate[_B, _P], Coroutine[Any, Any, _T]],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> TaskFuture[_T]: ...
        @overload
        def submit(
            self: ActorPool[_B],
            method: Callable[Concatenate[_B, _P], _T],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> TaskFuture[_T]: ...
        @overload
        def submit(self, method: str, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]: ...
        def submit(self, method: Any, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]: ...

    else:

        def submit(self, method, /, *args, **kwargs):
            """Calls a method, given as the function in the class or by name, of one of the actors.

            In this process the method finds itself in a task: see `current_task`.

            Returns:
                TaskFuture: its outcome: a concurrent.futures.Future that can also be awaited.

            Raises:
                AttributeError: the class has no such method.
                CancelledError: the scope, group or task that the caller is in is cancelled.
                ShutdownError: the pool was shut down.
            """
            scope = innermost()
            raise_if_cancelled(scope)
            return self._start(method, args, kwargs, scope)

    def _start(
        self, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any], scope: Cancellation | None
    ) -> ActorCall:
        state = TaskState(scope, owner=self)
        task = ActorCall(self._method_name(method), args, kwargs, state)
        with self._lock:
            if self._closed:
                raise _core.ShutdownError(f"{self!r} was shut down")
            self._queue.append(task)
            self._unfinished += 1
        task.add_done_callback(self._on_done)
        try:
            self._runner.post_task(self._send)
        except _core.ShutdownError:
            task.cancel()
            raise
        return task

    def _on_done(self, task: Any) -> None:
        with self._lock:
            self._unfinished -= 1
            finished = self._closed and not self._unfinished
        if finished:
            self._tell_finished()

    def _tell_finished(self) -> None:
        self._finished.signal()
        if self._on_finished is not None:
            self._on_finished()

    def _send(self) -> None:
        """On the runner: who is idle gets something to do."""
        while True:
            with self._lock:
                if not self._queue or (self._busy and not self._idle):
                    return
                ref = self._idle.popleft() if self._idle else None
                if ref is not None and not ref.is_alive:
                    continue
                task = self._queue.popleft()
                if ref is not None:
                    self._busy += 1
            if ref is None:
                task.fail(_core.ActorDeadError(f"all actors of {self!r} have ended"))
            elif not task.send(ref, lambda ref=ref: self._on_idle(ref)):  # type: ignore[misc]
                self._on_idle(ref)

    def _on_idle(self, ref: ActorRef[Any]) -> None:
        with self._lock:
            self._busy -= 1
            self._idle.append(ref)
            wanted = bool(self._queue)
        if wanted:
            try:
                self._runner.post_task(self._send)
            except _core.ShutdownError:
                self._fail_queued(_core.ShutdownError(f"the system of {self!r} was shut down"))

    def _fail_queued(self, error: BaseException) -> None:
        with self._lock:
            queued = list(self._queue)
            self._queue.clear()
        for task in queued:
            task.fail(error)

    def map(
        self,
        method: Callable[..., Any] | str,
        *iterables: Iterable[Any],
        timeout: float | None = None,
    ) -> Iterator[Any]:
        """The results of calls with the arguments in `zip(*iterables)`, in this order.

        All are submitted here. An exception is raised in the place of its result, and is the end.
        Closing or dropping the iterator takes back what has not begun.

        Args:
            timeout: seconds from now until the last result; None: no limit.

        Raises:
            TimeoutError: by the iterator, when a result is not there in time.
            Whatever `submit` raises.
        """
        end = None if timeout is None else _core.monotonic() + timeout
        tasks = deque(self.submit(method, *args) for args in zip(*iterables, strict=False))
        return _results(tasks, end)

    def task_group(self, *, grace: float = 2.0) -> ActorTaskGroup[A]:
        """A group of calls, to be used in `with` or `async with`; see TaskGroup. Actors are never
        ended by force for a group: a call that is under way is waited for.

        Args:
            grace: as of a ProcessPool's groups; not needed here.
        """
        from mojo_seq.actor.actor_task_group import ActorTaskGroup

        return ActorTaskGroup(self, grace=grace)

    @property
    def size(self) -> int:
        """How many actors there are, as far as the pool knows."""
        with self._lock:
            return len(self._idle) + self._busy

    # The end.

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        """Waits for what was submitted, and ends the actors. Nothing can be submitted from the
        start of this call. Repeating it is harmless.

        Args:
            cancel_futures: take back what has not begun.

        Raises:
            RuntimeError: called by one of the actors, if the system is the pool's own.
        """
        try:
            if not self._close(cancel_futures):
                self._finished.wait()
        finally:
            self._stop().result()
            if self._own_system is not None:
                self._own_system.shutdown()

    async def shutdown_async(self, *, cancel_futures: bool = False) -> None:
        """The same for a coroutine, under asyncio or trio: blocks no loop."""
        finished = Reply[None]()
        self._on_finished = lambda: finished.succeed(None)
        try:
            if not self._close(cancel_futures):
                await finished
        finally:
            await self._stop()
            if self._own_system is not None:
                await self._own_system.shutdown_async()

    def _stop(self) -> Reply[None]:
        """Ends the actors; the answer comes when that is done."""
        self._keeper.stop()
        ended = _End()
        self._keeper._target.watch_end(ended)
        return ended

    def _close(self, cancel: bool) -> bool:
        with self._lock:
            self._closed = True
            queued = list(self._queue) if cancel else []
        for task in queued:
            task.cancel()
        with self._lock:
            return not self._unfinished

    def __repr__(self) -> str:
        return f"<ActorPool {self._name}{' shut down' if self._closed else ''}>"


class _Keeper(Actor):
    """The parent of a pool's actors."""

    def spawn_all(
        self,
        size: int,
        actor_class: type[A],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        on: Any,
    ) -> list[ActorRef[A]]:
        return [self.spawn(actor_class, *args, on=on, **kwargs) for _ in range(size)]


class _End(Reply[None]):
    """Waits for the end of an actor."""

    def on_down(self, identity: tuple[bytes, int], reason: Any) -> None:
        self.succeed(None)


def _results(tasks: deque[TaskFuture[Any]], end: float | None) -> Iterator[Any]:
    try:
        while tasks:
            left = None if end is None else max(0.0, end - _core.monotonic())
            result = tasks[0].result(left)
            del tasks[0]
            yield result
    finally:
        for task in tasks:
            task.cancel()
