"""Node: a system of this process, as other processes see it."""

from __future__ import annotations

import pickle
import threading

from mojo_seq import _core
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote.accepted import Accepted, portable
from mojo_seq.actor.remote.connections import connections
from mojo_seq.actor.remote.credits import CreditBook
from mojo_seq.actor.remote.serving_thread import ServingThread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.remote.worker_link import WorkerLink
    from mojo_seq.system import MessagePipeHandle


_MOST_REASONS = 4096
_UNKNOWN = StopReason("stopped")
OVERFLOWS = ("block", "fail", "drop_oldest", "drop_newest")


class Node:
    """Accepts connections, and finds the actors that messages are for. Any thread.

    Lives from the first time that a ref leaves the process to the end of its system.
    """

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.id = system.id
        self._lock = threading.Lock()
        self._making = threading.Lock()  # of links, one at a time; before _lock
        self._accepted = set[Accepted]()  # _lock
        self._closed = False  # _lock
        self._thread: ServingThread | None = None  # _lock
        self.home: Any = None  # the Host, where actors of another system are hosted
        self.hosted: dict[int, Any] = {}  # cells of another system's actors, by their number there
        self._links: dict[Any, WorkerLink] = {}  # _lock: to workers that have actors of the system
        self.books: dict[int, CreditBook] = {}  # of those with bounded mailboxes
        self._noted = set[int]()  # actors that other processes may know
        # Of those that have ended, as far as known; pickled if there is an error: its traceback has
        # the frames of what failed, and so the actor with all that it had.
        self._reasons: dict[int, StopReason | bytes] = {}

    def find(self, number: int) -> Any:
        """The cell of an actor: of the system's own, or, by the negative number of its home, of
        one that is hosted here; None: it has ended."""
        return self.system.find_cell(number) if number > 0 else self.hosted.get(-number)

    def credit_book(self, number: int, cell: Any) -> CreditBook | None:
        """Who minds the room in an actor's mailbox, if that matters to its senders."""
        book = self.books.get(number)
        if book is None:
            box = box_of(cell)
            if box is None or not hasattr(cell, "on_taken"):
                return None
            with self._lock:
                book = self.books.get(number)
                if book is None:
                    book = self.books[number] = CreditBook(number, box[0])
                    cell.on_taken = book.on_taken
            cell.watch_end(_Forgetting(self.books, number))
        return book

    def release_senders(self, number: int) -> None:
        """An actor takes no more messages: nobody need wait for room."""
        book = self.books.get(number)
        if book is not None:
            book.release()

    def find_ref(self, number: int) -> ActorRef[Any] | None:
        """A local ref to the system's own actor; None: it has ended."""
        cell = self.system.find_cell(number)
        ref: ActorRef[Any] | None = None if cell is None else cell.ref
        return ref

    def note(self, cell: Any) -> None:
        """A ref to it leaves the process."""
        number = cell.number
        if number not in self._noted:
            self._noted.add(number)
            cell.watch_end(self)

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """One of those has ended; any thread."""
        self.note_end(identity[1], reason)

    def note_end(self, number: int, reason: StopReason) -> None:
        """An actor has ended that somebody may still ask for. Any thread."""
        known = (
            reason
            if reason.error is None
            else pickle.dumps(portable(reason), pickle.HIGHEST_PROTOCOL)
        )
        with self._lock:
            self._reasons[number] = known
            if len(self._reasons) > _MOST_REASONS:
                forgotten = next(iter(self._reasons))
                del self._reasons[forgotten]
                self._noted.discard(forgotten)

    def reason_of(self, number: int) -> StopReason:
        """Why an actor has ended."""
        known = self._reasons.get(number, _UNKNOWN)
        return StopReason(*pickle.loads(known)) if isinstance(known, bytes) else known

    def introduce(self) -> MessagePipeHandle:
        """A pipe to this node, for another process."""
        near, far = _core.create_message_pipe()
        self.accept(far)
        return near

    def accept(self, pipe: MessagePipeHandle) -> None:
        """Serves the client at the other end; closes the pipe if the system is shut down."""
        self.serve(Accepted(self, pipe))

    def serve(self, accepted: Accepted) -> None:
        """The same for an end that was made."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._accepted.add(accepted)
                if self._thread is None:
                    self._thread = ServingThread(self.system)
                thread = self._thread
        if closed:
            accepted.close()
        else:
            thread.add(accepted)

    def forget(self, accepted: Accepted) -> None:
        """The client is gone."""
        with self._lock:
            self._accepted.discard(accepted)
            thread = self._thread
        if thread is not None:
            thread.remove(accepted)

    def link_to(self, worker: Any) -> WorkerLink:
        """The link to a worker; made if there is none. Raises as `PoolWorker.open_service`."""
        from mojo_seq.actor.remote.worker_link import WorkerLink

        with self._making:
            with self._lock:
                link = self._links.get(worker)
            if link is None:
                link = WorkerLink(self, worker)
                with self._lock:
                    self._links[worker] = link
            return link

    def drop_link(self, link: WorkerLink) -> None:
        """The worker is gone."""
        with self._lock:
            if self._links.get(link.worker) is link:
                del self._links[link.worker]

    def close(self) -> None:
        """The system has ended: clients see that the pipes are closed."""
        with self._lock:
            self._closed = True
            accepted = list(self._accepted)
            self._accepted.clear()
            links = list(self._links.values())
            self._links.clear()
            thread = self._thread
        if thread is not None:
            thread.close()
        for link in links:
            link.close()
        for each in accepted:
            each.close()


class _Forgetting:
    """Drops the book of an actor that has ended."""

    __slots__ = ("_books", "_number")

    def __init__(self, books: dict[int, CreditBook], number: int) -> None:
        self._books = books
        self._number = number

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """Any thread."""
        self._books.pop(self._number, None)


def box_of(cell: Any) -> tuple[int, str] | None:
    """(capacity, overflow) of an actor's mailbox, if its senders have to mind that."""
    box: tuple[int, str] | None = getattr(cell, "box", None)
    if box is None and hasattr(cell, "capacity"):
        box = cell.capacity, OVERFLOWS[cell.overflow]
    return box if box is not None and box[1] in ("block", "fail") else None


_making = threading.Lock()


def node_of(system: ActorSystem) -> Node:
    """The node that a system is; made when it is asked for first."""
    with _making:
        node: Node | None = system._node
        if node is None:
            node = system._node = Node(system)
            connections.add_node(node)
        return node
