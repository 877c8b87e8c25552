"""Awaiting handles whose peer is in another process, in every event loop (public contract §9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
from puppets import TIMEOUT, Puppet
from puppets.loops import echo_in_asyncio
from puppets.pipes import echo, send_after, send_and_close, send_numbers, write_number_to_each

from mojo_seq import DataPipe, MessagePipe, PeerClosedError, Result, Signals, aio

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
Main = Callable[[], Awaitable[None]]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


def run_on_asyncio(main: Main) -> None:
    async def whole() -> None:
        await asyncio.wait_for(main(), TIMEOUT)

    asyncio.run(whole())


def run_on_trio(main: Main) -> None:
    async def whole() -> None:
        with trio.fail_after(TIMEOUT):
            await main()

    trio.run(whole)


def run_on_anyio_asyncio(main: Main) -> None:
    anyio.run(main, backend="asyncio")


def run_on_anyio_trio(main: Main) -> None:
    anyio.run(main, backend="trio")


@pytest.fixture(params=[run_on_asyncio, run_on_trio, run_on_anyio_asyncio, run_on_anyio_trio])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    """Runs a coroutine function to its end in one of the worlds."""
    chosen: Callable[[Main], None] = request.param
    return chosen


Run = Callable[[Main], None]


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def test_receive_waits_for_a_message(run: Run, child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    async def main() -> None:
        child.begin(send_after, there, 0.02)
        with await pipe.handle0.receive() as message:
            assert bytes(message) == b"x"
        child.finish()

    run(main)


def test_a_conversation(run: Run, child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)
    child.begin(echo, there)

    async def main() -> None:
        for number in range(200):
            pipe.handle0.write(str(number).encode())
            assert bytes(await pipe.handle0.receive()) == str(number).encode()

    run(main)
    pipe.handle0.close()
    assert child.finish() == 200


def test_async_for_ends_with_the_other_side(run: Run, child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)
    child.begin(send_and_close, there, 3_000)

    async def main() -> None:
        received = [bytes(message) async for message in pipe.handle0]
        assert received == [str(number).encode() for number in range(3_000)]
        with pytest.raises(PeerClosedError):
            await pipe.handle0.receive()

    run(main)
    child.finish()


def test_async_for_ends_with_the_other_process(
    run: Run, puppets: Callable[[], Puppet], pipe: MessagePipe
) -> None:
    child = puppets()
    child.give(pipe.handle1).write(b"last words")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            assert [bytes(message) async for message in pipe.handle0] == [b"last words"]

    async def kill() -> None:
        await anyio.sleep(0)
        child.kill()

    run(main)


def test_waiting_for_closing(run: Run, child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for_closing)
            await anyio.sleep(0)
            there.close()

    async def wait_for_closing() -> None:
        result, state = await aio.wait(pipe.handle0, PC)
        assert (result, state.peer_closed) == (Result.OK, True)

    run(main)


def test_waiting_for_data_pipes(run: Run, child: Puppet, data_pipes: DataPipes) -> None:
    (producer, far), (other, consumer) = data_pipes(4), data_pipes(4)
    sink, source = child.give(far), child.give(other)
    producer.write(b"abcd")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for_both)
            await anyio.sleep(0)
            sink.read(1)
            source.write(b"x")

    async def wait_for_both() -> None:
        assert (await aio.wait(producer, W))[0] is Result.OK
        assert (await aio.wait(consumer, R))[0] is Result.OK

    run(main)


def test_cancelling_loses_no_message(run: Run, child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    async def main() -> None:
        received = list[bytes]()
        child.begin(send_numbers, there, 0, 500)
        while len(received) < 500:
            with anyio.move_on_after(0.0005):
                while True:
                    message = await pipe.handle0.receive()
                    received.append(bytes(message))
                    if len(received) == 500:
                        break
        child.finish()
        assert received == [str(number).encode() for number in range(500)]

    run(main)


def test_many_pipes_in_one_loop(run: Run, child: Puppet, message_pipes: MessagePipes) -> None:
    pipes = [message_pipes() for _ in range(100)]
    far = [child.give(pipe.handle1) for pipe in pipes]
    child.begin(write_number_to_each, far)
    received = dict[int, bytes]()

    async def receive(number: int) -> None:
        received[number] = bytes(await pipes[number].handle0.receive())

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(receive, number)

    run(main)
    child.finish()
    assert received == {number: str(number).encode() for number in range(100)}


def test_sending_the_handle_away_ends_a_wait(
    run: Run, child: Puppet, message_pipes: MessagePipes
) -> None:
    a, b = message_pipes()
    child.give(b)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_until_cancelled)
            await anyio.sleep(0)
            await anyio.sleep(0)
            child.give(a)

    async def wait_until_cancelled() -> None:
        assert (await aio.wait(a, R))[0] is Result.CANCELLED

    run(main)


def test_a_child_with_an_event_loop(child: Puppet, pipe: MessagePipe) -> None:
    """Both sides may await."""
    there = child.give(pipe.handle1)
    child.begin(echo_in_asyncio, there)

    async def main() -> None:
        for number in range(100):
            pipe.handle0.write(str(number).encode())
            assert bytes(await pipe.handle0.receive()) == str(number).encode()

    run_on_asyncio(main)
    pipe.handle0.close()
    assert child.finish() == 100
