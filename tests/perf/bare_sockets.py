"""What the scripts that measure sockets without a library share."""

from __future__ import annotations

import socket


def receive_exactly(connection: socket.socket, buffer: memoryview) -> None:
    """Fills the buffer.

    Raises:
        EOFError: the other process closed its end.
    """
    while buffer:
        received = connection.recv_into(buffer)
        if received == 0:
            raise EOFError
        buffer = buffer[received:]
