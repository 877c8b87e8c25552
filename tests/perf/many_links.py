"""Many pipes, or sockets, between this process and another: made here, one end sent there."""

from __future__ import annotations

import resource
import socket

from bare_sockets import receive_exactly

from mojo_seq import MessagePipeHandle, create_message_pipe
from mojo_seq.cli.bench.other_process import receive
from mojo_seq.cli.bench.scale import UnavailableError

GROUP = 100  # sent in one message; the kernel takes 253 descriptors at most
GOT_THEM = b"+"
SPARE = 100  # descriptors that a process needs besides


def raise_descriptor_limit(count: int) -> None:
    """Lets this process have `count` descriptors and what else it needs.

    Raises:
        UnavailableError: the system does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count + SPARE:
        raise UnavailableError(f"needs {count + SPARE} descriptors, the limit is {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def groups(count: int) -> list[int]:
    """How many go in each message."""
    return [min(GROUP, count - start) for start in range(0, count, GROUP)]


def mojo_ends(pipe: MessagePipeHandle, count: int) -> list[MessagePipeHandle]:
    """Makes so many pipes, sends one end of each over `pipe`, and gives the others."""
    ends: list[MessagePipeHandle] = []
    for size in groups(count):
        pairs = [create_message_pipe() for _ in range(size)]
        pipe.write(b"", [pair.handle1 for pair in pairs])
        ends += [pair.handle0 for pair in pairs]
        receive(pipe).close()
    return ends


def take_mojo_ends(pipe: MessagePipeHandle, count: int) -> list[MessagePipeHandle]:
    """The ends that `mojo_ends` sends, in its order; in the other process."""
    ends: list[MessagePipeHandle] = []
    for _ in groups(count):
        for end in receive(pipe).take_handles():
            if not isinstance(end, MessagePipeHandle):
                raise TypeError(end)
            ends.append(end)
        pipe.write(GOT_THEM)
    return ends


def socket_ends(connection: socket.socket, count: int) -> list[socket.socket]:
    """The same with sockets, the descriptors sent by hand."""
    raise_descriptor_limit(count + GROUP)
    ends: list[socket.socket] = []
    for size in groups(count):
        pairs = [socket.socketpair() for _ in range(size)]
        socket.send_fds(connection, [b"x"], [far.fileno() for _, far in pairs])
        for near, far in pairs:
            far.close()
            ends.append(near)
        receive_exactly(connection, memoryview(bytearray(len(GOT_THEM))))
    return ends


def take_socket_ends(connection: socket.socket, count: int) -> list[socket.socket]:
    raise_descriptor_limit(count)
    ends: list[socket.socket] = []
    for size in groups(count):
        _, descriptors, _, _ = socket.recv_fds(connection, 1, size)
        ends += [socket.socket(fileno=descriptor) for descriptor in descriptors]
        connection.send(GOT_THEM)
    return ends
