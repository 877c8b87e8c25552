"""What children do to move endpoints about."""

from __future__ import annotations

from mojo_seq import Handle, MessagePipeHandle
from puppets.pipes import receive, receive_handle


def pass_on(carrier: MessagePipeHandle, handle: Handle) -> None:
    """Sends a handle away."""
    carrier.write(b"", [handle])


def exchange(carrier: MessagePipeHandle, handle: Handle) -> Handle:
    """Sends a handle to somebody who does the same; the one that came instead."""
    pass_on(carrier, handle)
    return receive_handle(carrier)


def send_home(carrier: MessagePipeHandle, use: int = 0) -> list[bytes]:
    """Sends the handle that comes back at once, or after some messages were echoed on it."""
    handle = receive_handle(carrier)
    assert isinstance(handle, MessagePipeHandle)
    used = [receive(handle) for _ in range(use)]
    for payload in used:
        handle.write(payload)
    pass_on(carrier, handle)
    return used
