"""ChannelEndpoint: one end of a connection over which an invitation can be sent."""

from __future__ import annotations

import os
from contextlib import contextmanager
from warnings import warn

from mojo_seq import _core
from mojo_seq.process.system_error import system_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Never, Self

ENVIRONMENT_VARIABLE = "MOJO_SEQ_CHANNEL"


class ChannelEndpoint:
    """One end of a PlatformChannel or of a connection made by NamedChannel: a Unix stream socket.

    `Invitation.send` and `Invitation.accept` use it up. An endpoint that is garbage-collected
    open is closed and emits ResourceWarning. It stays usable in a forked child, where it is a
    second owner of the same socket. Any thread.

    Args:
        fd: a connected Unix stream socket, from wherever; belongs to the endpoint from now on.

    Raises:
        InvalidArgumentError: fd is something else; it stays with the caller.
    """

    __slots__ = ("__weakref__", "_held")

    def __init__(self, fd: int) -> None:
        from mojo_seq.process import stream_sockets

        self._held: list[int] = []
        stream_sockets.check(fd)
        os.set_inheritable(fd, False)
        self._held.append(fd)

    def fileno(self) -> int:
        """The descriptor; it still belongs to the endpoint.

        Raises:
            InvalidArgumentError: the endpoint was closed or used up.
        """
        try:
            return self._held[0]
        except IndexError:
            raise self._unusable() from None

    def close(self) -> None:
        """Closes the endpoint; nothing happens if it was closed or used up already."""
        try:
            fd = self._held.pop()
        except IndexError:
            return
        os.close(fd)

    def pass_to(self, **popen_kwargs: Any) -> dict[str, Any]:
        """Keyword arguments for a subprocess.Popen whose child is to get this endpoint.

        The program finds it with `ChannelEndpoint.from_environment()`. Nothing is changed here:
        the child gets a copy, and this process should close its own as soon as the child has
        been started, or it will never see that the child closed it:

            with PlatformChannel() as channel:
                child = Popen(command, **channel.remote_endpoint.pass_to(stdout=PIPE))
                channel.remote_endpoint.close()  # the end of the block does it, too
                invitation.send(channel.local_endpoint)

        Args:
            **popen_kwargs: the arguments to start from; neither they nor what is in them is
                changed.

        Returns:
            A new dictionary: the same, with `pass_fds` and `env` extended.

        Raises:
            InvalidArgumentError: the endpoint was closed or used up.
        """
        fd = self.fileno()
        env = popen_kwargs.get("env")
        env = dict(os.environ if env is None else env)
        env[ENVIRONMENT_VARIABLE] = f"{fd}:{os.fstat(fd).st_ino}"
        pass_fds = (*popen_kwargs.get("pass_fds", ()), fd)
        return {**popen_kwargs, "env": env, "pass_fds": pass_fds}

    @staticmethod
    def from_environment() -> ChannelEndpoint:
        """The endpoint that this process's parent passed to it with `pass_to`.

        It can be taken once: it is not in the environment any more afterwards, and not inherited
        by programs that this process starts.

        Raises:
            NotFoundError: there is none, or it was closed.
        """
        passed = os.environ.pop(ENVIRONMENT_VARIABLE, None)
        if passed is None:
            raise _core.NotFoundError(
                f"no endpoint was passed to this process ({ENVIRONMENT_VARIABLE} is not set)"
            )
        fd, _, inode = passed.partition(":")
        if not _is_socket(fd, inode):
            raise _core.NotFoundError(
                f"{ENVIRONMENT_VARIABLE}={passed} does not name an open endpoint of this process"
            )
        return ChannelEndpoint(int(fd))

    def _adopt(self) -> _core.MessagePipeHandle:
        """Uses the endpoint up: its socket becomes a message pipe. Of two users, one gets it."""
        fd = self._take()
        try:
            return _core.adopt_socket(fd)
        except BaseException:
            self._held.append(fd)
            raise

    @contextmanager
    def _lend(self) -> Iterator[_core.MessagePipeHandle]:
        """The same, but an exception in the block gives the endpoint back as it was."""
        fd = self._take()
        try:
            pipe = _adopt_copy(fd)
            try:
                yield pipe
            except BaseException:
                pipe.close()
                raise
        except BaseException:
            self._held.append(fd)
            raise
        os.close(fd)

    def _take(self) -> int:
        try:
            return self._held.pop()
        except IndexError:
            raise self._unusable() from None

    def _unusable(self) -> _core.InvalidArgumentError:
        return _core.InvalidArgumentError(f"{self!r} cannot be used any more")

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._held:
            warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __reduce__(self) -> Never:
        raise TypeError(
            "a ChannelEndpoint cannot be copied or pickled; pass it to a program with pass_to(), "
            "or its descriptor in a message with wrap_fd()"
        )

    def __repr__(self) -> str:
        held = self._held[:]
        return f"<ChannelEndpoint {f'fd={held[0]}' if held else 'closed or used up'}>"


def _is_socket(fd: str, inode: str) -> bool:
    """Whether `fd` is still what it was when the variable was made. A variable can outlive its
    descriptor, and the number be something else's by now."""
    try:
        return os.fstat(int(fd)).st_ino == int(inode)
    except (OSError, OverflowError, ValueError):
        return False


def _adopt_copy(fd: int) -> _core.MessagePipeHandle:
    try:
        copy = os.dup(fd)
    except OSError as error:
        raise system_error(error, "the endpoint cannot be used") from error
    try:
        return _core.adopt_socket(copy)
    except BaseException:
        os.close(copy)
        raise
