"""The event loop of an actor: asyncio works in async methods, and ends with the actor."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from troupe import TIMEOUT, Journal
from troupe.event_loops import LineClient, LineServer, Tasks
from troupe.fixtures import Spawn, WaitEnded


def test_actors_serve_and_connect(spawn: Spawn) -> None:
    server = spawn(LineServer)
    address = server.serve().result(TIMEOUT)
    clients = [spawn(LineClient) for _ in range(4)]
    replies = [client.ask_lines(address, f"client {n}", 20) for n, client in enumerate(clients)]
    for n, reply in enumerate(replies):
        assert reply.result(TIMEOUT) == [f"CLIENT {n} {line}" for line in range(20)]
    assert server.served().result(TIMEOUT) == 4


def test_async_methods_use_threads_and_processes(spawn: Spawn) -> None:
    client = spawn(LineClient)
    assert client.in_thread(str, 5).result(TIMEOUT) == "5"
    command = [sys.executable, "-c", "print('from a child')"]
    assert client.run(command).result(TIMEOUT) == "from a child\n"


def test_tasks_that_an_actor_has_started_end_with_it(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    for end in ("stop", "kill"):
        tasks = spawn(Tasks, journal.ref)
        if tasks.kind_of_loop().result(TIMEOUT) != "SequenceEventLoop":
            return  # the loop is somebody else's, and its tasks are, too
        tasks.start(3).result(TIMEOUT)
        assert journal.take(3) == ["started"] * 3
        getattr(tasks, end)()
        assert journal.take(3) == ["cancelled"] * 3
        wait_ended(tasks)


def test_a_running_loop_is_to_be_had(spawn: Spawn) -> None:
    tasks = spawn(Tasks, None)
    facts: dict[str, Any] = tasks.facts().result(TIMEOUT)
    assert facts == {"same loop": True, "task": True, "timeout": True, "gathered": [1, 2, 3]}


def test_event_loops_take_nothing_until_they_are_used(spawn: Spawn) -> None:
    quiet = [spawn(Tasks, None) for _ in range(20)]
    assert [each.has_loop().result(TIMEOUT) for each in quiet] == [False] * 20


def test_awaiting_between_many_actors(spawn: Spawn) -> None:
    ring = [spawn(Tasks, None) for _ in range(20)]
    assert ring[0].pass_on(ring[1:]).result(TIMEOUT) == 20


def test_callbacks_of_the_loop_are_on_the_sequence(spawn: Spawn) -> None:
    tasks = spawn(Tasks, None)
    assert tasks.call_soon_and_later().result(TIMEOUT) == [True, True, True]


def test_the_loop_is_that_of_the_place_if_it_has_one(
    spawn: Spawn, request: pytest.FixtureRequest
) -> None:
    on_asyncio = "asyncio" in request.node.name
    expected = "_UnixSelectorEventLoop" if on_asyncio else "SequenceEventLoop"
    assert spawn(Tasks, None).kind_of_loop().result(TIMEOUT) == expected
