"""The file of a named Unix socket: made privately, replaced if it is stale, found at any depth."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from contextlib import contextmanager, suppress

from mojo_seq import _core
from mojo_seq.process.system_error import system_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE = 0o600
_LONGEST_ADDRESS = 107  # bytes in a Unix socket's address, without the zero at its end
_MOST_ATTEMPTS = 100
_PAUSE = 0.01

_GONE, _STALE, _USED = "gone", "stale", "used"


@contextmanager
def address_of(path: str) -> Iterator[str]:
    """What a socket is bound or connected to for `path`, which may be longer than an address."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    folder, name = os.path.split(path)
    fd = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{fd}/{name}"
        if len(os.fsencode(address)) > _LONGEST_ADDRESS:
            raise OSError(errno.ENAMETOOLONG, "the name is too long for a socket")
        yield address
    finally:
        os.close(fd)


def bind(listener: socket.socket, path: str) -> None:
    """Binds to a new file that never could be opened by other users; replaces a stale one.

    Raises:
        AlreadyExistsError: there is a file that is no socket, or a socket that is in use.
        NotFoundError, PermissionDeniedError, InvalidArgumentError: the path cannot be used.
    """
    os.fchmod(listener.fileno(), _MODE)  # what the file is made with
    for _ in range(_MOST_ATTEMPTS):
        try:
            with address_of(path) as address:
                listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise system_error(error, f"{path!r} cannot be listened on") from error
        else:
            if stat.S_IMODE(os.lstat(path).st_mode) != _MODE:  # the umask denies the owner, too
                os.chmod(path, _MODE)
            return
        _remove_stale(path)
    raise _core.AlreadyExistsError(f"{path!r} is used by others, again and again")


def _remove_stale(path: str) -> None:
    """Removes a socket that nobody listens on. What is no such socket stays where it is."""
    if _look(path) == _USED:
        raise _core.AlreadyExistsError(f"{path!r} exists and is in use, or is no socket")
    folder = os.path.dirname(path)
    with _locked(folder):
        # Nobody who takes the lock has replaced it by a live one since. For the others it is
        # moved away first, which is atomic, and looked at again where nobody knows of it.
        if _look(path) != _STALE:
            return
        aside = os.path.join(folder, f".{os.urandom(4).hex()}")
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return
        except OSError as error:
            raise system_error(error, f"the stale socket {path!r} cannot be replaced") from error
        if _look(aside) == _STALE:
            os.unlink(aside)
            return
        with suppress(FileExistsError):
            os.link(aside, path)
            os.unlink(aside)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Held by one at a time, of all processes that replace sockets in a directory."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise system_error(error, f"{folder!r} cannot be locked") from error
    try:
        for _ in range(_MOST_ATTEMPTS):  # anybody could keep it for ever
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE)
        else:
            raise _core.AlreadyExistsError(f"others are at replacing sockets in {folder!r}")
        yield
    finally:
        os.close(fd)


def _look(path: str) -> str:
    """Whether there is a file, and whether it is a socket file without a socket.

    Asked with a datagram socket: to connect it to a stream socket fails, with one error if that
    is alive and another if it is not, and its owner never notices.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return _USED
        with address_of(path) as address, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
    except ConnectionRefusedError:
        return _STALE
    except FileNotFoundError:
        return _GONE
    except OSError:
        return _USED
    return _USED
