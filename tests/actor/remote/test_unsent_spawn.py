"""An actor is put in a worker by a message, which may wait in the home's end of the pipe. Messages
to the actor that take another way do not overtake it."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from strangers import Depot, Friend
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorDeadError
from mojo_seq.actor.remote import wire


class _Held:
    """What a link writes from now on waits in order, as in a pipe that is full."""

    def __init__(self, link: Any) -> None:  # a WorkerLink
        self._link = link
        self._writes: list[Callable[[], object]] = []
        self.kinds: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._real = link.write, link.command
        self._link.write = self._write
        self._link.command = self._command

    def _write(self, encoded: Any) -> bool:
        self._hold(lambda: self._real[0](encoded), encoded.freeze()[-wire.SUFFIX_SIZE])
        return True

    def _command(self, kind: int, number: int, ask: int = 0) -> bool:
        self._hold(lambda: self._real[1](kind, number, ask), kind)
        return True

    def _hold(self, write: Callable[[], object], kind: int) -> None:
        self._writes.append(write)
        self.kinds.put(kind)

    def next_kind(self) -> int:
        return self.kinds.get(timeout=TIMEOUT)

    def let_go(self) -> None:
        self._link.write, self._link.command = self._real
        for write in self._writes:
            write()


def test_an_ask_by_another_way_waits_for_its_actor(put: Put) -> None:
    friend, other = put(Friend), put(Depot)
    assert friend.ask_it(other, "add", 1).result(TIMEOUT) == 1  # there is a way to that worker
    link = other._target.link
    held = _Held(link)
    late = [put(Depot) for _ in range(2)]
    there = [each for each in late if each._target.link is link]
    assert len(there) == 1 and held.next_kind() == wire.SPAWN
    replies = [friend.await_it(there[0], "add", 1), friend.await_it(there[0], "add", 1)]
    assert held.next_kind() == wire.LOCATE
    held.let_go()
    assert [each.result(TIMEOUT) for each in replies] == [1, 2]
    assert there[0].is_alive


def test_who_waits_for_that_is_told_of_the_end_of_the_worker(put: Put) -> None:
    friend, other = put(Friend), put(Depot)
    assert friend.ask_it(other, "add", 1).result(TIMEOUT) == 1
    link = other._target.link
    held = _Held(link)
    late = [put(Depot) for _ in range(2)]
    (there,) = [each for each in late if each._target.link is link]
    assert held.next_kind() == wire.SPAWN
    reply = friend.await_it(there, "add", 1)
    assert held.next_kind() == wire.LOCATE
    link.worker.process.kill()
    assert isinstance(reply.exception(TIMEOUT), ActorDeadError)
    assert all(each.pid().result(TIMEOUT) for each in late if each is not there)
