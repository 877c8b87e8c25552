"""PlatformChannel: a connection whose other end is for a process that this one starts."""

from __future__ import annotations

from mojo_seq.process.channel_endpoint import ChannelEndpoint

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Self


class PlatformChannel:
    """Two connected endpoints: one to send an invitation over, one for the invited process.

    The remote one goes to any program by `ChannelEndpoint.pass_to`, started with whatever starts
    programs. Leaving a `with` block closes both as far as they are still this process's, so start
    the program and send the invitation inside it.

    Raises:
        ResourceExhaustedError: no descriptors or memory left.
    """

    __slots__ = ("_local_endpoint", "_remote_endpoint")

    def __init__(self) -> None:
        from mojo_seq.process import stream_sockets

        local, remote = stream_sockets.make_pair()
        self._local_endpoint = ChannelEndpoint(local)
        self._remote_endpoint = ChannelEndpoint(remote)

    @property
    def local_endpoint(self) -> ChannelEndpoint:
        """The end that stays here."""
        return self._local_endpoint

    @property
    def remote_endpoint(self) -> ChannelEndpoint:
        """The end for the other process."""
        return self._remote_endpoint

    def close(self) -> None:
        """Closes both ends; what was closed or used up already stays as it is."""
        self._local_endpoint.close()
        self._remote_endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<PlatformChannel {self._local_endpoint!r} {self._remote_endpoint!r}>"
