"""A loop that awaits an answer of another process, and has nothing else to do, looks for it awake;
all else that the loop has to do, and everybody else who waits, gets his turn."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from strangers import Depot, Friend
from strangers.far_end import BlindLoop, FarEnd, ask
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorDeadError
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.reply import Reply
from mojo_seq.process.object_codec import encode


class OtherLoop(asyncio.SelectorEventLoop):
    """One that may have what is ready elsewhere, for all that others know."""

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        return super().call_soon(*args, **options)


def this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def awaited(reply: Reply[Any]) -> Any:
    return await reply


def test_an_answer_that_is_there_is_taken(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        for number in range(1, 101):
            reply = ask(connection, number)
            node.answer(number, number)
            assert await reply == number

    asyncio.run(main())


def test_nothing_in_the_loop_is_starved(ends_apart: tuple[Connection, FarEnd]) -> None:
    """By answers that are always there before the loop could sleep."""
    connection, node = ends_apart
    near, far = socket.socketpair()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        come = set[str]()
        loop.call_soon(come.add, "ready")
        loop.call_later(0.001, come.add, "timer")
        loop.add_reader(near, come.add, "descriptor")
        far.send(b"x")
        number = 0
        while len(come) < 3:
            number += 1
            reply = ask(connection, number)
            node.answer(number, number)
            assert await reply == number
        loop.remove_reader(near)

    with near, far:
        asyncio.run(main())


def test_callbacks_of_other_threads_are_not_starved(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(stop.set,))
        thread.start()
        number = 0
        while not stop.is_set():
            number += 1
            reply = ask(connection, number)
            node.answer(number, number)
            assert await reply == number
        thread.join()

    asyncio.run(main())


def test_who_looks_reads_for_the_others_too(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        for number in range(1, 301, 3):
            others = [asyncio.ensure_future(awaited(ask(connection, number + k))) for k in (1, 2)]
            await asyncio.sleep(0)  # they await
            for each in (number + 1, number, number + 2):
                node.answer(each, each)
            assert await ask_of(number) == number
            assert await asyncio.gather(*others) == [number + 1, number + 2]

    def ask_of(number: int) -> Reply[Any]:
        return ask(connection, number)

    asyncio.run(main())


def test_another_coroutine_is_answered_after_who_looked_has_gone(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    """The loop sleeps then, and has to be woken."""
    connection, node = ends_apart

    async def main() -> None:
        for number in range(1, 201, 2):
            other = asyncio.ensure_future(awaited(ask(connection, number + 1)))
            await asyncio.sleep(0)
            reply = ask(connection, number)
            node.answer(number, number)
            assert await reply == number
            thread = threading.Thread(target=node.answer, args=(number + 1, number + 1))
            thread.start()
            assert await other == number + 1
            thread.join()

    asyncio.run(main())


def test_a_task_that_has_cancelled_itself_goes_no_further(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    connection, node = ends_apart

    async def go_too_far(number: int) -> None:
        reply = ask(connection, number)
        node.answer(number, number)
        this_task().cancel()
        await reply

    async def main() -> None:
        for number in range(1, 100):
            with pytest.raises(asyncio.CancelledError):
                await go_too_far(number)
            this_task().uncancel()

    asyncio.run(main())


def test_errors_are_raised_where_it_waits(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        reply = ask(connection, 1)
        encode(LookupError("as told"), wire.pack_suffix(wire.FAILURE, 0, 1)).write_to(node.pipe)
        with pytest.raises(LookupError, match="as told"):
            await reply
        reply = ask(connection, 2)
        node.pipe.close()
        with pytest.raises(ActorDeadError):
            await reply

    asyncio.run(main())


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("make_loop", [asyncio.SelectorEventLoop, OtherLoop, BlindLoop])
def test_all_kinds_of_loops(
    ends_apart: tuple[Connection, FarEnd],
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    debug: bool,
) -> None:
    connection, node = ends_apart

    async def main() -> None:
        for number in range(1, 301):
            assert await ask(connection, number) == number

    thread = threading.Thread(target=node.echo, args=(300,))
    thread.start()
    with asyncio.Runner(loop_factory=make_loop, debug=debug) as runner:
        runner.run(main())
    thread.join()


def test_tasks_that_start_at_once_do_not_wait_for_each_other(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    """Those of a task factory run before who makes them goes on."""
    connection, node = ends_apart

    class Eager(asyncio.Task[Any]):
        pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **more: Eager(coro, loop=loop, **more))
        tasks = [asyncio.ensure_future(awaited(ask(connection, n))) for n in range(1, 101)]
        for number in range(1, 101):
            node.answer(number, number)
        assert await asyncio.gather(*tasks) == [*range(1, 101)]

    asyncio.run(main())


def test_loops_that_come_and_go(ends_apart: tuple[Connection, FarEnd]) -> None:
    """Each leaves in the middle of something."""
    connection, node = ends_apart

    async def main(first: int) -> None:
        for number in range(first, first + 5):
            reply = ask(connection, number)
            node.answer(number, number)
            assert await reply == number
        left = asyncio.ensure_future(awaited(ask(connection, first + 5)))
        await asyncio.sleep(0)
        left.cancel()

    for first in range(1, 301, 6):
        asyncio.run(main(first))


@pytest.mark.parametrize("kind", ["plain", "other"])
def test_awaiting_blocking_and_cancelling_at_once(put: Put, kind: str) -> None:
    depot = put(Depot)
    loops = {"plain": asyncio.SelectorEventLoop, "other": OtherLoop}
    blocked = list[int]()

    async def ask_often(which: int) -> int:
        cancelled = 0
        for number in range(60):
            try:
                async with asyncio.timeout(0 if (which + number) % 7 == 0 else TIMEOUT):
                    if (which + number) % 5 == 0:
                        await asyncio.sleep(0)
                    await depot.add(0)
            except TimeoutError:
                cancelled += 1
        return cancelled

    async def main() -> None:
        await ask_often(1)
        cancelled = await asyncio.gather(*(ask_often(which) for which in range(30)))
        assert max(cancelled) <= 60 // 7 + 1
        assert await depot.add(1) == 1

    def block() -> None:
        for _ in range(300):
            blocked.append(depot.add(0).result(TIMEOUT))

    threads = [threading.Thread(target=block) for _ in range(2)]
    for each in threads:
        each.start()
    with asyncio.Runner(loop_factory=loops[kind]) as runner:
        runner.run(main())
    for each in threads:
        each.join()
    assert len(blocked) == 600


def test_an_actor_in_a_worker_that_awaits_on_and_on_hears_of_others(put: Put) -> None:
    """Its thread is the one that reads what is sent to it."""
    friends, depot = [put(Friend), put(Friend)], put(Depot)
    for _ in range(20):
        asks = [friend.await_on(depot) for friend in friends]
        assert depot.add(0).result(TIMEOUT) == 0
        for friend in friends:
            friend.enough().result(TIMEOUT)
        assert min(each.result(TIMEOUT) for each in asks) >= 0


def test_actors_in_workers_that_await_each_other(put: Put) -> None:
    """Each has to answer while it awaits."""
    friends = [put(Friend) for _ in range(4)]
    for _ in range(50):
        asks = [
            friend.await_it(other, "pid")
            for friend in friends[:2]
            for other in friends[2:]
            for _ in range(4)
        ]
        assert len({each.result(TIMEOUT) for each in asks}) <= 2
    first, second, third, fourth = friends
    for _ in range(100):  # there and back
        nested = first.await_it(second, "await_it", third, "await_it", fourth, "pid")
        assert nested.result(TIMEOUT) == fourth.pid().result(TIMEOUT)


def test_two_loops_in_two_threads(put: Put) -> None:
    depot = put(Depot)
    counts = list[int]()

    async def main() -> None:
        for _ in range(200):
            await depot.add(1)
        counts.append(200)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(counts) == depot.add(0).result(TIMEOUT) == 400
