"""Answers that are awaited under asyncio are read by the loop itself, and by whoever else can if it
does not come to it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from strangers import Depot
from strangers.actors import Doorkeeper, Waiting
from strangers.far_end import BlindLoop, FarEnd, ask
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorDeadError
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.reply import Reply


class MadeWhere:
    """Becomes the number of the thread that reads it."""

    def __reduce__(self) -> Any:
        return threading.get_ident, ()


class CountingLoop(asyncio.SelectorEventLoop):
    """Knows how many descriptors it watches for others."""

    def __init__(self) -> None:
        self.readers = 0
        super().__init__()

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        self.readers += 1
        super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        self.readers -= 1
        return super().remove_reader(fd)


def test_the_loop_reads_what_is_awaited_there(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(1, 51):
            reply = ask(connection, number)
            loop.call_soon(node.answer, number, MadeWhere())
            assert await reply == threading.get_ident()

    asyncio.run(main())


def test_many_answers_at_once(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        replies = [ask(connection, number) for number in range(1, 1001)]
        thread = threading.Thread(target=answer_all)
        thread.start()
        assert await asyncio.gather(*(awaited(each) for each in replies)) == [*range(1, 1001)]
        thread.join()

    def answer_all() -> None:
        for number in range(1, 1001):
            node.answer(number, number)

    async def awaited(reply: Reply[int]) -> int:
        return await reply

    asyncio.run(main())


def test_the_end_of_the_node(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        reply = ask(connection, 1)
        asyncio.get_running_loop().call_soon(node.pipe.close)
        with pytest.raises(ActorDeadError):
            await reply

    asyncio.run(main())


def test_others_do_not_wait_for_a_loop_that_is_blocked(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    connection, node = ends_apart
    answered = threading.Event()

    async def main() -> None:
        awaited, other = ask(connection, 1), ask(connection, 2)
        waiting = asyncio.ensure_future(wait_for(awaited))
        await asyncio.sleep(0)
        other.add_done_callback(lambda _: answered.set())
        node.answer(2, None)
        assert answered.wait(TIMEOUT)  # on the loop's thread, which it must not do
        node.answer(1, "late")
        assert await waiting == "late"

    async def wait_for(reply: Reply[str]) -> str:
        return await reply

    asyncio.run(main())


def test_a_loop_that_has_ended_gives_way_to_the_next(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main(number: int) -> None:
        reply = ask(connection, number)
        asyncio.get_running_loop().call_soon(node.answer, number, MadeWhere())
        assert await reply == threading.get_ident()

    for number in range(1, 4):
        asyncio.run(main(number))


def test_two_loops_at_once(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart
    both = threading.Barrier(2)
    answers = list[int]()

    async def main(first: int) -> None:
        for number in range(first, first + 100):
            both.wait(TIMEOUT)
            reply = ask(connection, number)
            asyncio.get_running_loop().call_soon(node.answer, number, number)
            answers.append(await reply)

    threads = [
        threading.Thread(target=lambda first: asyncio.run(main(first)), args=(n,)) for n in (1, 101)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [*range(1, 201)]


def test_a_loop_and_a_thread_at_once(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart
    answers = list[int]()

    async def main() -> None:
        for number in range(1, 201):
            reply = ask(connection, number)
            asyncio.get_running_loop().call_soon(node.answer, number, number)
            answers.append(await reply)

    def block() -> None:
        for number in range(201, 401):
            reply = ask(connection, number)
            node.answer(number, number)
            answers.append(reply.result(TIMEOUT))

    thread = threading.Thread(target=block)
    thread.start()
    asyncio.run(main())
    thread.join()
    assert sorted(answers) == [*range(1, 401)]


def test_the_loop_is_left_in_peace_when_the_answers_are_for_others(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    connection, node = ends_apart
    loop = CountingLoop()

    async def main() -> None:
        reply = ask(connection, 1)
        loop.call_soon(node.answer, 1, None)
        await reply
        assert loop.readers == 1
        for number in range(2, 1000):
            # Nobody awaits it, nor has the I/O thread listen, which might always be the first.
            other = ask(connection, number)
            node.answer(number, None)
            while not other.done():
                await asyncio.sleep(0)
            if loop.readers == 0:
                return
        raise AssertionError("the loop is still woken")

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_a_connection_that_is_closed_takes_its_watch_along(
    ends_apart: tuple[Connection, FarEnd],
) -> None:
    connection, node = ends_apart
    loop = CountingLoop()

    async def main() -> None:
        reply = ask(connection, 1)
        loop.call_soon(node.answer, 1, None)
        await reply
        thread = threading.Thread(target=connection.close)
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        assert loop.readers == 0

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_a_loop_that_watches_nothing(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        reply = ask(connection, 1)
        asyncio.get_running_loop().call_soon(node.answer, 1, "all the same")
        assert await reply == "all the same"

    with asyncio.Runner(loop_factory=BlindLoop) as runner:
        runner.run(main())


def test_an_await_that_is_cancelled(ends_apart: tuple[Connection, FarEnd]) -> None:
    connection, node = ends_apart

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await ask(connection, 1)
        reply = ask(connection, 2)
        asyncio.get_running_loop().call_soon(node.answer, 2, MadeWhere())
        assert await reply == threading.get_ident()

    asyncio.run(main())


def test_an_actor_is_killed_while_many_await(put: Put) -> None:
    door, waiting = put(Doorkeeper), put(Waiting)

    async def main() -> None:
        await waiting.note(0)
        waiting.tell("wait_at", door)  # so that it cannot be faster than the kill
        replies = [waiting.note(number) for number in range(100)]
        waiting.kill()
        outcomes = await asyncio.gather(*(awaited(each) for each in replies))
        assert set(outcomes) == {ActorDeadError}
        await door.open()

    async def awaited(reply: Reply[int]) -> object:
        try:
            return await reply
        except ActorDeadError as error:
            return type(error)

    asyncio.run(main())


def test_answers_of_another_process(put: Put) -> None:
    depot = put(Depot)

    async def main() -> list[int]:
        return [await depot.add(1) for _ in range(200)]

    assert asyncio.run(main()) == [*range(1, 201)]
