"""Stages that work at the same time, and a source that is held up by the slowest of them."""

import hashlib

from mojo_seq import Actor, ActorRef, ActorSystem, Mailbox, Reply

FEW = Mailbox(capacity=4)  # overflow="block": a thread that tells waits while there is no room
MOST = 4 + 1 + 1 + 1  # in a mailbox, being read, on the way, being hashed


class Reader(Actor):
    """Makes blocks of numbers, and sends each on while the next one is being made."""

    def __init__(self, hasher: ActorRef["Hasher"]) -> None:
        self._hasher = hasher
        self._sent: Reply[None] | None = None

    async def read(self, number: int) -> None:
        block = number.to_bytes(4) * 50_000
        if self._sent is not None:
            await self._sent  # one on the way at a time: the slower one sets the pace
        self._sent = self._hasher.hash(number, block)

    async def finish(self) -> None:
        if self._sent is not None:
            await self._sent


class Hasher(Actor):
    """The slow one."""

    def __init__(self) -> None:
        self._digests: dict[int, str] = {}

    def hash(self, number: int, block: bytes) -> None:
        self._digests[number] = hashlib.sha256(block).hexdigest()

    def digests(self) -> dict[int, str]:
        return dict(self._digests)


def main() -> None:
    with ActorSystem() as system:
        hasher = system.spawn(Hasher)
        reader = system.spawn(Reader, hasher, mailbox=FEW)
        most = 0
        for number in range(100):
            reader.read.tell(number)  # waits here: memory is bounded, and nothing is dropped
            if number % 10 == 9:
                most = max(most, number + 1 - len(hasher.digests().result()))
        reader.finish().result()  # what one sender sends to one actor is handled in order
        digests = hasher.digests().result()
    assert list(digests) == list(range(100))
    assert most <= MOST
    print(f"{len(digests)} blocks were hashed, never more than {MOST} of them on the way")


if __name__ == "__main__":
    main()
