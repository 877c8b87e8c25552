"""What children do with arrays in messages."""

from __future__ import annotations

import numpy as np

from mojo_seq import MessagePipeHandle, PeerClosedError
from puppets.pipes import next_message


def fill(pipe: MessagePipeHandle, length: int) -> None:
    """Sends 0, 1, 2, … as floats."""
    pipe.write(np.arange(length, dtype=np.float64))


def sum_of(pipe: MessagePipeHandle, dtype: str) -> float:
    with next_message(pipe) as message:
        return np.frombuffer(message.payload, dtype).sum().item()  # type: ignore[no-any-return]


def add_one(pipe: MessagePipeHandle) -> int:
    """Sends each array back with one added, until the peer is closed; how many there were."""
    count = 0
    while True:
        try:
            with next_message(pipe) as message:
                pipe.write(np.frombuffer(message.payload) + 1)
        except PeerClosedError:
            return count
        count += 1
