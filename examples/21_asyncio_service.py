"""A small web service: asyncio speaks HTTP and awaits actors, which keep the state and compute."""

import asyncio
import hashlib

from mojo_seq import Actor, ActorRef, ActorSystem

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Visits(Actor):
    """State: the only one who knows the numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def count(self, name: str) -> int:
        self._numbers[name] = self._numbers.get(name, 0) + 1
        return self._numbers[name]


class Sealer(Actor):
    """Work that would hold up the event loop; here it holds up a thread of the system's pool."""

    def seal(self, text: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", text.encode(), b"salt", 2_000).hex()[:8]


class Service:
    def __init__(self, visits: ActorRef[Visits], sealer: ActorRef[Sealer]) -> None:
        self._visits = visits
        self._sealer = sealer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readline()
        name = request.split()[1].decode().removeprefix("/")
        number = await self._visits.ask(Visits.count, name)  # an int, which type checkers see
        seal = await self._sealer.ask(Sealer.seal, f"{name} {number}")
        writer.write(f"HTTP/1.0 200 OK\r\n\r\nvisit {number} of {name}, {seal}".encode())
        writer.close()
        await writer.wait_closed()


async def get(port: int, name: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode().partition("\r\n\r\n")[2]


async def main() -> None:
    async with ActorSystem() as system:
        service = Service(system.spawn(Visits), system.spawn(Sealer))
        async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            answers = await asyncio.gather(*(get(port, "ann") for _ in range(10)))
    numbers = sorted(int(answer.split()[1]) for answer in answers)
    assert numbers == list(range(1, 11))  # every visit was counted once
    print(f"{len(answers)} visits at once; the first answer: {answers[0]!r}")


if __name__ == "__main__":
    asyncio.run(main())
