"""Receiving messages in an event loop: asyncio, trio, anyio (public contract §9)."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio

from mojo_seq import (
    InvalidArgumentError,
    Message,
    MessagePipe,
    PeerClosedError,
)

Run = Callable[[Callable[[], Awaitable[None]]], None]
TIMEOUT = 30.0


async def yield_a_few_times() -> None:
    """Lets the other tasks run until they wait for something."""
    for _ in range(10):
        await anyio.sleep(0)


def test_receive_returns_a_message_that_is_there(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: await handle.receive().
    async def main() -> None:
        pipe.handle1.write(b"hello")
        message = await pipe.handle0.receive()
        assert isinstance(message, Message) and bytes(message) == b"hello"

    run(main)


def test_receive_waits_for_a_message(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9.
    async def main() -> None:
        got: list[bytes] = []

        async def receiver() -> None:
            for _ in range(3):
                got.append(bytes(await pipe.handle0.receive()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receiver)
            for payload in (b"one", b"two", b"three"):
                await yield_a_few_times()
                pipe.handle1.write(payload)
        assert got == [b"one", b"two", b"three"]

    run(main)


def test_receive_raises_when_drained_and_closed(run: Run, pipe: MessagePipe) -> None:
    # System rules §4.3: messages sent before the closure stay readable; then PeerClosedError.
    async def main() -> None:
        pipe.handle1.write(b"last")
        pipe.handle1.close()
        assert bytes(await pipe.handle0.receive()) == b"last"
        with pytest.raises(PeerClosedError):
            await pipe.handle0.receive()

    run(main)


def test_receive_raises_when_the_peer_closes_meanwhile(run: Run, pipe: MessagePipe) -> None:
    # System rules §4.3.
    async def main() -> None:
        async def receiver() -> None:
            with pytest.raises(PeerClosedError):
                await pipe.handle0.receive()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receiver)
            await yield_a_few_times()
            pipe.handle1.close()

    run(main)


def test_receive_of_a_closed_handle_is_invalid(run: Run, pipe: MessagePipe) -> None:
    # Public contract §2.
    async def main() -> None:
        pipe.handle0.close()
        with pytest.raises(InvalidArgumentError):
            await pipe.handle0.receive()

    run(main)


def test_a_cancelled_receive_loses_no_message(run: Run, pipe: MessagePipe) -> None:
    # Public contract §1: nothing is lost; also when the message came just before the cancellation.
    async def main() -> None:
        got: list[bytes] = []

        async def receiver() -> None:
            got.append(bytes(await pipe.handle0.receive()))

        for number in range(50):
            payload = number.to_bytes(1, "big")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(receiver)
                for _ in range(number % 5):
                    await anyio.sleep(0)
                pipe.handle1.write(payload)
                for _ in range(number % 3):
                    await anyio.sleep(0)
                tasks.cancel_scope.cancel()
            got += [bytes(message) for message in pipe.handle0.read_batch()]
            assert got.pop() == payload and got == []

    run(main)


def test_two_receivers_get_each_message_once(run: Run, pipe: MessagePipe) -> None:
    # System rules §4.3: FIFO queue; a receiver that comes too late waits on.
    async def main() -> None:
        got: list[int] = []

        async def receiver() -> None:
            for _ in range(100):
                got.append(bytes(await pipe.handle0.receive())[0])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receiver)
            tasks.start_soon(receiver)
            for number in range(200):
                pipe.handle1.write(bytes([number]))
                await anyio.sleep(0)
        assert sorted(got) == list(range(200))

    run(main)


def test_async_for_ends_when_the_peer_has_closed(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: async for message in handle.
    async def main() -> None:
        got: list[bytes] = []

        async def reader() -> None:
            async for message in pipe.handle0:
                got.append(bytes(message))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await yield_a_few_times()
            pipe.handle1.write_batch([b"a", b"b"])
            await yield_a_few_times()
            pipe.handle1.write(b"c")
            pipe.handle1.close()
        assert got == [b"a", b"b", b"c"]

    run(main)


def test_async_for_can_be_left_and_entered_again(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: the loop keeps nothing back.
    async def main() -> None:
        pipe.handle1.write_batch([b"a", b"b", b"c"])
        pipe.handle1.close()
        async for message in pipe.handle0:
            assert bytes(message) == b"a"
            break
        assert [bytes(message) async for message in pipe.handle0] == [b"b", b"c"]

    run(main)


def test_in_trio_receiving_is_a_checkpoint(pipe: MessagePipe) -> None:
    # Public contract §9 "the same under trio": there, a call that need not wait lets others run
    # all the same, and can be cancelled; asyncio's own queues do not do that.
    async def main() -> None:
        pipe.handle1.write_batch([b"x"] * 100)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            for _ in range(100):
                await pipe.handle0.receive()
            nursery.cancel_scope.cancel()
        assert turns >= 50  # trio shuffles who comes first

    trio.run(main)


def test_in_trio_a_cancelled_checkpoint_takes_no_message(pipe: MessagePipe) -> None:
    # Public contract §1: nothing is lost, although the message was there to be had at once.
    async def main() -> None:
        pipe.handle1.write(b"kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await pipe.handle0.receive()
        assert scope.cancelled_caught

    trio.run(main)
    assert bytes(pipe.handle0.read()) == b"kept"
