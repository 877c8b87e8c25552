"""What children do in event loops of their own."""

from __future__ import annotations

import asyncio

from mojo_seq import MessagePipeHandle


def echo_in_asyncio(pipe: MessagePipeHandle) -> int:
    """Sends all back until the peer is closed; how many there were."""

    async def main() -> int:
        count = 0
        async for message in pipe:
            pipe.write_message(message)
            count += 1
        return count

    return asyncio.run(main())
