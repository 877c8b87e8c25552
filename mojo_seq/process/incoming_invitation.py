"""IncomingInvitation: the pipes that another process has attached to its invitation."""

from __future__ import annotations

import os
import threading

from mojo_seq import _core
from mojo_seq.process.channel_endpoint import ChannelEndpoint
from mojo_seq.process.deadline import Deadline

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    import socket
    from typing import Self


class IncomingInvitation:
    """An accepted invitation; made by `Invitation.accept`. Any thread.

    Closing it, or leaving a `with` block, closes the pipes that were not extracted.
    """

    def __init__(self, pipes: dict[bytes, _core.MessagePipeHandle]) -> None:
        self._pipes = pipes  # _lock
        self._lock = threading.Lock()
        self._closed = False  # _lock

    def extract_message_pipe(self, name: str | bytes) -> _core.MessagePipeHandle:
        """Takes the pipe of that name out. Never waits.

        Raises:
            NotFoundError: no pipe of that name was attached, or it was extracted already.
            InvalidArgumentError: the invitation was closed.
        """
        key = to_name(name)
        with self._lock:
            if self._closed:
                raise _core.InvalidArgumentError("the invitation was closed")
            pipe = self._pipes.pop(key, None)
        if pipe is None:
            raise _core.NotFoundError(f"no pipe {name!r} in the invitation, or extracted already")
        return pipe

    def close(self) -> None:
        """Closes the pipes that were not extracted. Nothing happens the second time."""
        with self._lock:
            self._closed = True
            left, self._pipes = self._pipes, {}
        for pipe in left.values():
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._pipes)} pipes"
        return f"<IncomingInvitation {state}>"


def to_name(name: str | bytes) -> bytes:
    """The bytes of a pipe's name."""
    if isinstance(name, str):
        return name.encode()
    if isinstance(name, bytes):
        return name
    raise TypeError(f"a name must be a str or bytes, not {type(name).__name__}")


def accept_invitation(endpoint: ChannelEndpoint, timeout: float | None) -> IncomingInvitation:
    """See `Invitation.accept`."""
    import socket

    if not isinstance(endpoint, ChannelEndpoint):
        raise TypeError(f"endpoint must be a ChannelEndpoint, not {type(endpoint).__name__}")
    deadline = Deadline(timeout)
    fd = endpoint.fileno()
    if not deadline.wait_readable(fd):
        raise _core.DeadlineExceededError("no invitation came in time")
    with socket.socket(fileno=os.dup(fd)) as seen:
        if not _has_data(seen):
            raise _core.PeerClosedError("the other end was closed without an invitation")
    control = endpoint._adopt()
    try:
        inviter, pipes = _read_invitation(control, deadline)
    except BaseException:
        control.close()
        raise
    _answer(control, inviter)
    return IncomingInvitation(pipes)


def _has_data(seen: socket.socket) -> bool:
    """Whether there is something to read, which is left there. Hung up is nothing."""
    from socket import MSG_DONTWAIT, MSG_PEEK

    try:
        return bool(seen.recv(1, MSG_PEEK | MSG_DONTWAIT))
    except ConnectionError:
        return False


def _read_invitation(
    control: _core.MessagePipeHandle, deadline: Deadline
) -> tuple[int, dict[bytes, _core.MessagePipeHandle]]:
    from mojo_seq.process.invitation_message import decode_invitation

    result, _ = _core.wait(control, _core.Signals.READABLE, deadline.remaining())
    if result is _core.Result.DEADLINE_EXCEEDED:
        raise _core.DeadlineExceededError("the invitation did not come as a whole in time")
    if result is not _core.Result.OK:
        raise _core.AbortedError("what came is no invitation")
    with control.read() as message:
        inviter, names = decode_invitation(bytes(message))
        handles = message.handles
        pipes = [each for each in handles if isinstance(each, _core.MessagePipeHandle)]
        if not len(pipes) == len(handles) == len(names):
            raise _core.AbortedError("the invitation's names and pipes do not match")
        message.take_handles()
    return inviter, dict(zip(names, pipes, strict=True))


def _answer(control: _core.MessagePipeHandle, inviter: int) -> None:
    """Says who accepted, so that the inviter's `on_error` hears of this process's messages.

    The pipe is kept as long as the inviter wants to know, since its end means this process's.
    """
    from mojo_seq.process.control_pipe import ControlPipe
    from mojo_seq.process.invitation_message import encode_answer

    try:
        control.write(encode_answer(os.getpid()))
    except _core.PeerClosedError:
        inviter = 0
    if inviter in (0, os.getpid()):  # one process that invited itself would keep both ends
        control.close()
    else:
        ControlPipe(control).start()
