"""ActorSystem: actors, and the threads that they run on."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar
from warnings import warn

from mojo_seq import _core
from mojo_seq.actor.actor import Actor
from mojo_seq.actor.cell import LocalCell
from mojo_seq.actor.ending import last_of
from mojo_seq.actor.guardian import Guardian
from mojo_seq.actor.mailbox import Mailbox
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.registry import Registry
from mojo_seq.actor.reply import Reply
from mojo_seq.actor.reports import Reports
from mojo_seq.actor.supervisor import Supervisor
from mojo_seq.actor.topic import Topic
from mojo_seq.sequence import ThreadPool
from mojo_seq.sequence.exit_calls import exit_calls
from mojo_seq.sequence.shut_down_at_exit import ShutDownAtAsyncExit

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.sequence import SequencedTaskRunner

logger = logging.getLogger("mojo_seq.actor")

B = TypeVar("B", bound=Actor)

_DEFAULT_MAILBOX = Mailbox()
_FOR_GIVEN_UP = 0.2  # seconds for the threads of actors that were given up


class ActorSystem(ShutDownAtAsyncExit, Reports):
    """Owns actors. Nothing of them outlives its `with` (or `async with`) block.

    Leaving the block stops all actors, the last one spawned first, with reason "system": each
    handles the messages that wait, its children are stopped, and its `on_stop` is called.

    Args:
        max_workers: threads for the actors that are not placed elsewhere; see ThreadPool.
        name: of the threads.
        supervisor: what becomes of actors without a parent that fail; None: they are stopped and
            the error is logged.
        stall_after: seconds after which an actor that is still busy with one message is reported,
            with the stack of its thread, see `on_stall`; None: never.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        name: str = "actors",
        supervisor: Supervisor | None = None,
        stall_after: float | None = None,
    ) -> None:
        if not (supervisor is None or isinstance(supervisor, Supervisor)):
            raise TypeError(f"supervisor must be a Supervisor, not {type(supervisor).__name__}")
        if stall_after is not None and not stall_after > 0:
            raise ValueError(f"stall_after must be more than 0 seconds, got {stall_after}")
        super().__init__()
        self.id = os.urandom(16)
        """What tells this system from all others, in other processes too."""
        self.lock = threading.Lock()
        """Guards the tables below and each cell's observers. Nothing is called under it."""
        self.children: dict[int, Any] = {}
        """The actors without a parent, in the order of spawning."""
        self._name = name
        self._pool = ThreadPool(max_workers, name=name)
        self.guardian = Guardian(
            self, self._pool.create_sequenced_task_runner(name="guardian"), supervisor
        )
        self._cells: dict[int, Any] = {}
        self._names: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._closing = False
        self._to_end: list[Any] = []  # the guardian's sequence
        self._ended = Reply[None]()
        self.own_registry: ActorRef[Registry] | None = None  # see registry_of
        self.home: ActorRef[Registry] | None = None  # in a worker process: of whose actors it has
        self._node: Any = None  # what other processes talk to, made when a ref first leaves
        self._stall_after = stall_after
        self._watchdog: Any = None
        self._topics: weakref.WeakValueDictionary[str, Topic] = weakref.WeakValueDictionary()
        if stall_after is not None:
            from mojo_seq.actor.stall_watchdog import StallWatchdog

            self._watchdog = StallWatchdog(self, name, stall_after)
        self._at_exit = _at_exit(self)
        exit_calls.add(self._at_exit)
        environment = _core.current_environment()
        if environment is not None:
            environment.call_at_exit(self._at_exit)

    # Actors.

    def spawn(
        self,
        actor_class: type[B],
        /,
        *args: Any,
        name: str | None = None,
        on: Any = None,
        mailbox: Mailbox | None = None,
        supervisor: Supervisor | None = None,
        **kwargs: Any,
    ) -> ActorRef[B]:
        """Starts an actor: `actor_class(*args, **kwargs)` is called on its sequence. Any thread.

        Args:
            name: to find it by, unique in this system.
            on: where it runs. None: a sequence of the system's thread pool; a ThreadPool: one of
                that; a SequencedTaskRunner (also AsyncioTaskRunner): that very sequence; a
                ProcessPool: one of its processes, where class and arguments must be importable
                and picklable.
            mailbox: the bound of its mailbox; None: 1024 messages, overflow "block".
            supervisor: what it does when its own children fail; None: what its class says.

        Returns:
            ActorRef: at once. If the constructor raises, asks fail with ActorDeadError.

        Raises:
            TypeError: actor_class is no subclass of Actor, or an argument has the wrong type.
            AlreadyExistsError: there is an actor of that name.
            ShutdownError: the system, or what it was to run on, was shut down.
        """
        return self.spawn_child(None, actor_class, args, kwargs, name, on, mailbox, supervisor)

    def spawn_child(
        self,
        parent: LocalCell | None,
        actor_class: type[B],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
        on: Any,
        mailbox: Mailbox | None,
        supervisor: Supervisor | None,
    ) -> ActorRef[B]:
        """For the layers here; see `spawn` and `Actor.spawn`."""
        if not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
            raise TypeError(f"expected a subclass of Actor, not {actor_class!r}")
        if not (name is None and mailbox is None and supervisor is None):
            _check_options(name, mailbox, supervisor)
        if self._closing:
            raise _core.ShutdownError(f"{self!r} was shut down")
        if parent is not None and parent.is_finishing:
            raise _core.ShutdownError(f"{parent!r} is at its end and can have no more children")
        if mailbox is None:
            mailbox = _DEFAULT_MAILBOX
        number = next(self._numbers)
        what = (self, parent, number, actor_class, args, kwargs)
        cell: Any
        if on is None:
            cell = LocalCell(*what, self._pool.new_sequence(), name, mailbox, supervisor)
        elif hasattr(on, "__actor_workers__"):
            from mojo_seq.actor.remote.placed_cell import PlacedCell

            cell = PlacedCell(*what, on, name, mailbox, supervisor)
        else:
            cell = LocalCell(*what, self._runner_for(on), name, mailbox, supervisor)
        self._add(cell, parent)
        ref: ActorRef[B] = cell.ref
        if self._stall_after is not None:
            cell.timed = True
        cell.schedule()
        return ref

    def _runner_for(self, on: Any) -> SequencedTaskRunner:
        if on is None:
            return self._pool.new_sequence()
        if isinstance(on, ThreadPool):
            return on.create_sequenced_task_runner()
        if hasattr(on, "post_task") and hasattr(on, "runs_tasks_in_current_sequence"):
            runner: SequencedTaskRunner = on
            return runner
        raise TypeError(
            "on must be None, a ThreadPool, a SequencedTaskRunner or a ProcessPool, "
            f"not {type(on).__name__}"
        )

    def _add(self, cell: Any, parent: LocalCell | None) -> None:
        name, number = cell.name, cell.number
        with self.lock:
            if self._closing:
                raise _core.ShutdownError(f"{self!r} was shut down")
            if name is not None:
                if name in self._names:
                    raise _core.AlreadyExistsError(f"there is an actor named {name!r}")
                self._names[name] = cell
            self._cells[number] = cell
            if parent is None:
                self.children[number] = cell
            else:
                if parent.children is None:
                    parent.children = {}
                parent.children[number] = cell

    def find(self, name: str) -> ActorRef[Any]:
        """The actor of that name. Any thread.

        In a worker process it is looked for among those that actors here have spawned, and then,
        which blocks, in the system that has put them here.

        Raises:
            NotFoundError: there is none (any more).
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        with self.lock:
            cell: Any = self._names.get(name)
        if cell is None and self.home is not None:
            found: ActorRef[Any] = self.home.ask(Registry.find, name).result()
            return found
        if cell is None:
            raise _core.NotFoundError(f"there is no actor named {name!r}")
        ref: ActorRef[Any] = cell.ref
        return ref

    def find_cell(self, number: int) -> Any:
        """For the layers here: what the system knows of an actor, or None."""
        return self._cells.get(number)

    def cells(self) -> list[Any]:
        """For the layers here: of all actors that are alive."""
        with self.lock:
            return list(self._cells.values())

    def forget(self, cell: Any) -> None:
        """For the guardian: it has ended."""
        with self.lock:
            self._cells.pop(cell.number, None)
            name = cell.name
            if name is not None and self._names.get(name) is cell:
                del self._names[name]

    # Topics.

    def topic(self, name: str) -> Topic:
        """The topic of that name, to subscribe to and to publish; made if there is none. Any
        thread."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        with self.lock:
            topic = self._topics.get(name)
            if topic is None:
                topic = self._topics[name] = Topic(self, name)
            return topic

    # The end.

    def shutdown(self, timeout: float | None = None) -> None:
        """Stops all actors and waits for their end. Repeating it is harmless, and waits.

        Args:
            timeout: seconds to wait; None: no limit but those of the actors.

        Raises:
            DeadlineExceededError: not finished in time; the system goes on ending.
            RuntimeError: called in a task of a sequence that an actor of the system runs on, which
                could never end. (In a coroutine use `async with` or `await shutdown_async()`.)
        """
        self._check_may_wait()
        deadline = None if timeout is None else _core.monotonic() + timeout
        self._begin_shutdown().result(timeout)
        self._close(None if deadline is None else max(0.0, deadline - _core.monotonic()))

    async def shutdown_async(self) -> None:
        """The same for a coroutine, under asyncio or trio: blocks no loop."""
        await self._begin_shutdown()
        self._close(None)

    def _check_may_wait(self) -> None:
        try:
            runner = _core.current_runner()
        except RuntimeError:
            return
        if any(getattr(cell, "runner", None) is runner for cell in self.cells()):
            raise RuntimeError("an actor system cannot be shut down from the sequence of its actor")

    def _begin_shutdown(self) -> Reply[None]:
        with self.lock:
            begins = not self._closing
            self._closing = True
        if begins:
            self.guardian.post(self._end_next)
        return self._ended

    def _end_next(self) -> None:
        """On the guardian's sequence: the last that is left ends."""
        last = last_of(self.children, self._to_end)
        if last is not None:
            self.guardian.end(last, StopReason("system"), then=self._end_next)
        else:
            self._ended.succeed(None)

    def _close(self, timeout: float | None) -> None:
        if self._node is not None:
            self._node.close()
        if self._watchdog is not None:
            self._watchdog.close()
        if self.guardian.in_haste and timeout is None:
            timeout = _FOR_GIVEN_UP  # a thread cannot be stopped from outside
        try:
            self._pool.shutdown(timeout)
        except _core.DeadlineExceededError:
            if not self.guardian.in_haste:
                raise
            self._pool.give_up()
        exit_calls.remove(self._at_exit)

    def __del__(self) -> None:
        if not getattr(self, "_closing", True):
            warn("an ActorSystem was dropped without shutdown()", ResourceWarning, stacklevel=2)
            exit_calls.remove(self._at_exit)

    def __repr__(self) -> str:
        state = " shut down" if self._closing else ""
        return f"<ActorSystem {self._name!r}{state}>"


def _check_options(name: object, mailbox: object, supervisor: object) -> None:
    if not (name is None or isinstance(name, str)):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if not (mailbox is None or isinstance(mailbox, Mailbox)):
        raise TypeError(f"mailbox must be a Mailbox, not {type(mailbox).__name__}")
    if not (supervisor is None or isinstance(supervisor, Supervisor)):
        raise TypeError(f"supervisor must be a Supervisor, not {type(supervisor).__name__}")


def _at_exit(system: ActorSystem) -> Callable[[], None]:
    """A shutdown for the interpreter's exit that does not keep the system alive."""
    reference = weakref.ref(system)

    def shutdown() -> None:
        alive = reference()
        if alive is not None:
            alive.shutdown()

    return shutdown
