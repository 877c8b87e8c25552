"""The home's link to a worker that is lost just when an actor is put there."""

from __future__ import annotations

import threading
from typing import Any

from strangers.fixtures import TIMEOUT

from mojo_seq import ActorSystem, MessagePipeHandle, create_message_pipe
from mojo_seq.actor.remote.node import node_of
from mojo_seq.actor.remote.worker_link import WorkerLink


class _Worker:
    """As a pool has them; its process is the test."""

    load = 0
    far: MessagePipeHandle

    def open_service(self, target: Any, *args: Any) -> MessagePipeHandle:
        args[2].close()  # the introduction
        near, self.far = create_message_pipe()
        return near

    def exit_reason(self) -> str:
        return "as the test wants it"


class _Cell:
    def __init__(self, number: int) -> None:
        self.number = number
        self.losses = 0

    def on_worker_lost(self, link: object, reason: object) -> None:
        self.losses += 1


class _Spawn:
    """What is to be written: in the middle of that the thread is held."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.goes_on = threading.Event()

    def write_to(self, pipe: MessagePipeHandle) -> None:
        self.begun.set()
        assert self.goes_on.wait(TIMEOUT)
        pipe.write(b"")

    def discard(self) -> None: ...


class _Overtaken(dict[int, Any]):
    """The link's cells: another one comes just when they are gone through."""

    def __init__(self, cells: dict[int, Any], come: Any) -> None:
        super().__init__(cells)
        self._come = come

    def values(self) -> Any:
        found = list(super().values())
        self._come()
        return found

    def popitem(self) -> tuple[int, Any]:
        found = super().popitem()
        self._come()
        return found


def test_an_actor_that_is_put_there_meanwhile_is_told_too() -> None:
    first, second = _Cell(1), _Cell(2)
    spawn = _Spawn()
    put: list[bool] = []
    thread = threading.Thread(target=lambda: put.append(link.put(second, spawn)))  # type: ignore[arg-type]

    def come() -> None:
        if not spawn.begun.is_set():
            thread.start()
            assert spawn.begun.wait(TIMEOUT)

    with ActorSystem(1) as system:
        worker = _Worker()
        link = WorkerLink(node_of(system), worker)
        link._cells = _Overtaken({1: first}, come)
        worker.far.close()
        link.read()
        spawn.goes_on.set()
        thread.join()
        link.close()
    assert (first.losses, second.losses, put) == (1, 1, [True])
