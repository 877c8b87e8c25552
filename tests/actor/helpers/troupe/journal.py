"""Journal: what actors have told a test, in the order in which they did."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Any

from mojo_seq import Actor, ActorRef, ActorSystem, Mailbox

TIMEOUT = 30.0


class JournalKeeper(Actor):
    """The journal's actor. It lives in the test's process."""

    def __init__(self, entries: SimpleQueue[Any]) -> None:
        self._entries = entries

    def note(self, entry: Any) -> None:
        self._entries.put(entry)


def note(journal: ActorRef[JournalKeeper], entry: Any) -> None:
    """What an actor calls: when it returns the entry is there, whatever follows."""
    journal.ask(JournalKeeper.note, entry).result(TIMEOUT)


class Journal:
    """The test's side. `ref` is for actors."""

    def __init__(self, system: ActorSystem) -> None:
        self._entries = SimpleQueue[Any]()
        self.ref = system.spawn(JournalKeeper, self._entries, mailbox=Mailbox(1_000_000))

    def next(self) -> Any:
        """The next entry; waits for it."""
        return self._entries.get(timeout=TIMEOUT)

    def take(self, count: int) -> list[Any]:
        """The next entries; waits for them."""
        return [self.next() for _ in range(count)]

    def rest(self) -> list[Any]:
        """What is there now."""
        found = []
        while True:
            try:
                found.append(self._entries.get_nowait())
            except Empty:
                return found
