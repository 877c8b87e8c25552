"""What children do in several threads, and with what others did in theirs."""

from __future__ import annotations

import threading

from mojo_seq import MessagePipeHandle, PeerClosedError, ShouldWaitError
from puppets.pipes import next_message, receive


def write_in_threads(pipe: MessagePipeHandle, writers: int, count: int) -> None:
    """Each writes its number, a count, and its number again, rarely or often. Closes the pipe."""

    def write(writer: int) -> None:
        for number in range(count):
            size = 70_000 if number % 50 == writer else number % 300
            pipe.write(bytes([writer]) + number.to_bytes(4) + bytes([writer]) * size)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.close()


def take_some(pipe: MessagePipeHandle, most: int) -> list[bytes]:
    """What there is at the moment."""
    received: list[bytes] = []
    try:
        while len(received) < most:
            with pipe.read() as message:
                received.append(bytes(message))
    except (ShouldWaitError, PeerClosedError):
        pass
    return received


def receive_until(pipe: MessagePipeHandle, last: bytes) -> list[bytes]:
    """All up to one of this content, which is left out."""
    received = []
    while (payload := receive(pipe)) != last:
        received.append(payload)
    return received


def close_all_that_come(pipe: MessagePipeHandle) -> int:
    """Reads from each end that comes, and closes it; how many there were."""
    count = 0
    try:
        while True:
            with next_message(pipe) as message:
                (end,) = message.take_handles()
            assert isinstance(end, MessagePipeHandle)
            with end:
                assert receive(end).isdigit()
            count += 1
    except PeerClosedError:
        return count
