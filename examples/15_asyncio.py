"""Pipes on asyncio: await a message, iterate over messages, run sequences on the event loop."""

import asyncio

from mojo_seq import (
    AsyncioTaskRunner,
    MessagePipeHandle,
    Result,
    Signals,
    ThreadPool,
    aio,
    create_message_pipe,
)


async def count(pipe: MessagePipeHandle) -> int:
    """The number of bytes that come before the other end is closed."""
    return sum([len(message) async for message in pipe])


async def main() -> None:
    here, there = create_message_pipe()
    with here, there, ThreadPool(1) as pool:
        thread = pool.create_sequenced_task_runner()
        thread.post_task(there.write, b"from a thread of the pool")
        message = await here.receive()
        assert bytes(message) == b"from a thread of the pool"

        for size in (1, 10, 100):
            thread.post_task(there.write, bytes(size))
        thread.post_task(there.close)
        assert await count(here) == 111

        result, state = await aio.wait(here, Signals.READABLE)
        assert result is Result.FAILED_PRECONDITION and state.peer_closed

        future = AsyncioTaskRunner().submit(asyncio.get_running_loop)  # a task on this loop
        assert await asyncio.wrap_future(future) is asyncio.get_running_loop()
        print("111 bytes came from another thread, and the loop never blocked")


if __name__ == "__main__":
    asyncio.run(main())
