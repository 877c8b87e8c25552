"""PlacedCell: what an actor's home knows of it when it runs in a worker process."""

from __future__ import annotations

from functools import partial

from mojo_seq import _core
from mojo_seq.actor.observers import Observed
from mojo_seq.actor.reasons import DeadLetter, StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.accepted import portable
from mojo_seq.actor.remote.node import box_of, node_of
from mojo_seq.actor.remote.placed_ending import PlacedEnding
from mojo_seq.actor.remote.route import Route
from mojo_seq.process.object_codec import encode
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.actor.guardian import Guardian
    from mojo_seq.actor.mailbox import Mailbox
    from mojo_seq.actor.observers import EndObserver
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.remote.worker_link import WorkerLink
    from mojo_seq.actor.reply import Reply
    from mojo_seq.actor.supervisor import Supervisor
    from mojo_seq.process.object_codec import Encoded


class PlacedCell(Observed, Route):
    """Stands for a LocalCell in the tables of the home. The actor is a LocalCell of the worker's
    system; its failures are decided about here, by the same guardian.

    Fields as in LocalCell, as far as there are such.
    """

    is_placed = True
    children = None  # those are the worker's affair
    record = None
    upward = None
    began = 0  # for whoever wants to know what it is doing: that is not known here
    thread = 0

    def __init__(
        self,
        system: ActorSystem,
        parent: LocalCell | None,
        number: int,
        actor_class: type[Actor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        pool: Any,
        name: str | None,
        mailbox: Mailbox,
        supervisor: Supervisor | None,
    ) -> None:
        self.box = mailbox.capacity, mailbox.overflow
        super().__init__(-number, box_of(self), "", system.id)
        self.system = system
        self.guardian: Guardian = system.guardian
        self.parent = parent
        self.number = number
        self.actor_class = actor_class
        self.name = name
        self.pool = pool
        self.supervisor = supervisor
        self.observers: dict[EndObserver, None] | None = None
        self.end_reason: StopReason | None = None
        self.ending: Any = None
        self.failure: BaseException | None = None
        self.closed = False
        self.stopping = False
        self.timed = False
        self.link: WorkerLink | None = None  # the guardian's, but for the first
        self._args = args
        self._kwargs = kwargs
        self._arrived_at: Connection | None = None  # it was put there, as that worker says
        self._asking: list[Callable[[Any], object]] = []  # _lock: who wants to know where it is
        self._spawn: Encoded | None = self._encode_spawn()  # what cannot be sent is said at once

    def _encode_spawn(self) -> Encoded:
        args, kwargs = self._args, self._kwargs
        what = (self.actor_class, args, kwargs, self.name, self.box, self.supervisor)

        def parts() -> dict[str, object]:
            return {"the class": self.actor_class, "args": args, "kwargs": kwargs}

        suffix = wire.pack_suffix(wire.SPAWN, self.number, 0)
        return encode(what, suffix, parts, known=self._home_id)

    # Who it is.

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else f" {self.number}"
        return f"<actor {self.actor_class.__name__}{name} in a worker process>"

    # Where it is.

    def schedule(self) -> None:
        """Starts it. Called once."""
        self._place()

    def _place(self) -> None:
        """Puts it in a worker of the pool; tries others if that is gone."""
        spawn, self._spawn = self._spawn, None
        try:
            if spawn is None:
                spawn = self._encode_spawn()
            spawn.freeze()
            while True:
                link = node_of(self.system).link_to(self.pool.choose_worker())
                self.link = link
                if link.put(self, spawn):
                    break
                self.link = None
        except Exception as error:
            self.link = None
            self.guardian.post(self.guardian.cell_failed, self, error, "its placement")
            return
        self.lead_to(link)
        with self._lock:
            asking, self._asking = self._asking, []
        for tell in asking:
            self._tell_place(tell)

    def find_way(self) -> None:
        """It will be told by `_place` or `end`."""

    def locate(self, tell: Callable[[Any], object]) -> None:
        """Calls `tell` with where it is, for a client of the home, as soon as that is known."""
        with self._lock:
            if self._connection is None and self._end is None:
                self._asking.append(tell)
                return
        self._tell_place(tell)

    def _tell_place(self, tell: Callable[[Any], object]) -> None:
        connection = self._connection
        if connection is not None and connection is not self._arrived_at:
            # What is said to the worker may wait, and who asks may have another pipe to it: the
            # worker answers when it has the actor.
            connection.locate(-self.number, partial(self._on_located, connection, tell))
        elif connection is not None:
            try:
                introduction = connection.introduce()
            except _core.MojoError as error:  # as without descriptors
                tell((wire.FAILURE, Failure(error)))
            else:
                tell((wire.HELLO, (connection.node_id, introduction)))
        elif self._end is not None:
            tell((0, portable(self._end)))
        else:
            self.locate(tell)

    def _on_located(
        self, connection: Connection, tell: Callable[[Any], object], answer: object
    ) -> None:
        """The worker has it, or has had it; or is gone."""
        if isinstance(answer, StopReason):
            self.on_lost(connection)
        else:
            self._arrived_at = connection
        self._tell_place(tell)

    # What comes from the worker; on the thread that reads its pipe.

    def on_failed(self, error: BaseException, where: str) -> None:
        """It failed there and waits."""
        self.guardian.post(self.guardian.cell_failed, self, error, where)

    def on_ready(self) -> None:
        """Its object has ended for a restart."""
        self.guardian.post(self._halfway)

    def _halfway(self) -> None:
        if self.ending is not None:
            self.ending.finished()

    def on_ended(self, reason: StopReason) -> None:
        """For good: because the home wanted it, or because its sequence there is gone."""
        self.guardian.post(self._ended, reason)

    def _ended(self, reason: StopReason) -> None:
        if self.ending is not None:
            self.ending.finished()
        else:
            self.guardian.ended(self, reason)

    def on_dead_letter(self, method: str, args: tuple[Any, ...]) -> None:
        """A tell that nobody will handle."""
        self.system.report_dead_letter(DeadLetter(self.ref, method, args))

    on_unsent = on_dead_letter

    def on_worker_lost(self, link: WorkerLink, reason: StopReason) -> None:
        """Its process is gone."""
        self.guardian.post(self._lose_worker, link, reason)

    def _lose_worker(self, link: WorkerLink, reason: StopReason) -> None:
        if self.link is not link:
            return  # it has been put in another one already
        self.link = None
        if self.ending is not None:
            self.ending.finished()
        elif self.end_reason is None and reason.error is not None:
            self.guardian.cell_failed(self, reason.error, "its worker process")

    # What the guardian does, on its sequence.

    def begin_ending(self, reason: StopReason, graceful: bool, restart: bool) -> PlacedEnding:
        """How the guardian ends it."""
        return PlacedEnding(self, reason, graceful, restart)

    def tell_worker(self, kind: int, what: object) -> bool:
        """False: there is nobody to be told."""
        link = self.link
        if link is None or link.lost:
            return False
        return link.write(encode(what, wire.pack_suffix(kind, self.number, 0)))

    def command(self, function: Any, *args: Any) -> Any:
        """Its sequence is elsewhere; what is to be done here is done at once."""
        function(*args)

    def begin_again(self) -> None:
        """After a restart's first half: there, or in another worker."""
        if not self.tell_worker(wire.BEGIN, None):
            self._place()

    def close(self) -> None:
        """Nothing is sent to it any more."""
        self.closed = True
        reason = self.end_reason
        if reason is None:
            return
        link, self.link = self.link, None
        if link is not None:
            link.remove(self)
        if self._spawn is not None:
            self._spawn.discard()
            self._spawn = None
        self.end(reason)
        with self._lock:
            asking, self._asking = self._asking, []
        for tell in asking:
            self._tell_place(tell)

    # What others do to it, on any thread.

    def stop(self) -> None:
        """See ActorRef."""
        super().command(wire.STOP)
        self.guardian.post(self.guardian.end, self, StopReason("stopped"))

    def kill(self) -> None:
        """See ActorRef."""
        self.closed = True
        super().command(wire.KILL)
        self.guardian.post(self.guardian.end, self, StopReason("killed"), False)

    def receive(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        reply: Reply[Any] | None,
        chain: Any,
    ) -> bool:
        """From a client that does not know that it is elsewhere; passed on."""
        try:
            self.send(method, args, kwargs, reply)
        except Exception as error:
            if reply is not None:
                reply.fail(error)
        return True

    def wake_senders(self) -> None:
        """Nobody waits here."""
