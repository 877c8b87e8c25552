"""Invitation: the first pipes between two processes."""

from __future__ import annotations

import os
import threading

from mojo_seq import _core
from mojo_seq.process.channel_endpoint import ChannelEndpoint
from mojo_seq.process.incoming_invitation import (
    IncomingInvitation,
    accept_invitation,
    to_name,
)

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from mojo_seq.process.bad_message_report import BadMessageReport


class Invitation:
    """Message pipes with names, whose other ends go to another process (Mojo C System API,
    invitations).

    What is written to the attached pipes before they are accepted is delivered then. Closing an
    invitation that was not sent, or leaving a `with` block, closes the pipes' other ends. Any
    thread.
    """

    def __init__(self) -> None:
        self._attached: dict[bytes, _core.MessagePipeHandle] = {}  # _lock
        self._lock = threading.Lock()
        self._over = False  # sent or closed; _lock

    def attach_message_pipe(self, name: str | bytes) -> _core.MessagePipeHandle:
        """Makes a pipe, attaches one end under `name` and returns the other.

        Args:
            name: how the invited process finds it; a str stands for its UTF-8 bytes.

        Raises:
            AlreadyExistsError: the name is in use.
            InvalidArgumentError: the invitation was sent or closed.
        """
        key = to_name(name)
        with self._lock:
            self._check()
            if key in self._attached:
                raise _core.AlreadyExistsError(f"a pipe {name!r} is attached already")
            local, self._attached[key] = _core.create_message_pipe()
        return local

    def send(
        self,
        endpoint: ChannelEndpoint,
        *,
        on_error: Callable[[BadMessageReport], object] | None = None,
    ) -> None:
        """Sends the invitation and uses it and the endpoint up. Never waits.

        If nobody accepts it, because the other end is closed or its process ends, the local ends
        see PEER_CLOSED.

        Args:
            endpoint: to whom; whether the process was started already makes no difference.
            on_error: called with a BadMessageReport, on the calling thread, when
                `Message.notify_bad` is called here for a message from that process.

        Raises:
            FailedPreconditionError: nothing is attached.
            InvalidArgumentError: the invitation was sent or closed, the endpoint used up.
            If this raises, both are as they were.
        """
        if not isinstance(endpoint, ChannelEndpoint):
            raise TypeError(f"endpoint must be a ChannelEndpoint, not {type(endpoint).__name__}")
        if not (on_error is None or callable(on_error)):
            raise TypeError(f"on_error must be callable, not {type(on_error).__name__}")
        with self._lock:
            self._check()
            if not self._attached:
                raise _core.FailedPreconditionError("no message pipe is attached")
            with endpoint._lend() as control:
                self._write(control, on_error)
            self._over = True
            left, self._attached = self._attached, {}
        for pipe in left.values():  # still here only if there was nobody to send them to
            pipe.close()

    def _write(
        self,
        control: _core.MessagePipeHandle,
        on_error: Callable[[BadMessageReport], object] | None,
    ) -> None:
        from mojo_seq.process.bad_message_callbacks import Invitee, callbacks
        from mojo_seq.process.invitation_message import encode_invitation

        payload = encode_invitation(os.getpid(), list(self._attached))
        with callbacks.inviting:
            try:
                control.write(payload, list(self._attached.values()))
            except _core.PeerClosedError:
                on_error = None  # as if it had been closed a moment later
            if on_error is None:
                control.close()
            else:
                Invitee(control, on_error).start()

    @staticmethod
    def accept(endpoint: ChannelEndpoint, timeout: float | None = 30.0) -> IncomingInvitation:
        """Waits for the invitation that comes over `endpoint`.

        Args:
            endpoint: what `ChannelEndpoint.from_environment`, `NamedChannel.connect` or
                `NamedChannelServer.accept` returned. It is used up as soon as something comes.
            timeout: seconds; None: no limit.

        Raises:
            DeadlineExceededError: nothing came in time, and the endpoint is still the caller's;
                or not all of it, and the endpoint was used up.
            PeerClosedError: the other end was closed; the endpoint is still the caller's.
            AbortedError: what came is no invitation.
            UnimplementedError: it is an invitation of a newer library.
            InvalidArgumentError: the endpoint was used up before.
        """
        return accept_invitation(endpoint, timeout)

    def close(self) -> None:
        """Closes an invitation that was not sent. Nothing happens otherwise."""
        with self._lock:
            self._over = True
            left, self._attached = self._attached, {}
        for pipe in left.values():
            pipe.close()

    def _check(self) -> None:
        if self._over:
            raise _core.InvalidArgumentError(f"{self!r} cannot be used any more")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed or sent" if self._over else f"{len(self._attached)} pipes"
        return f"<Invitation {state}>"
