"""Transfer: the handles that go to one process which multiprocessing starts."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from contextlib import suppress
from multiprocessing import reduction

from mojo_seq import _core
from mojo_seq.process import stream_sockets
from mojo_seq.process.encoding import check_movable

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

_ATTRIBUTE = "_mojo_seq_transfer"


class Transfer:
    """Collects handles while a process's arguments are pickled, and sends them when it exists.

    The start of a process has no hook for that. What tells is that multiprocessing notes its
    number, in the attribute `pid` of the object that starts it. Until then the process may have
    begun to read its arguments and need the handles to go on, so it asks for them; whichever
    comes first moves them. If neither comes the handles stay as they are.
    """

    def __init__(self, popen: Any) -> None:
        ours, self._theirs = stream_sockets.make_pair()
        self._control = _core.adopt_socket(ours)
        self._handles: list[_core.Handle] = []
        self._lock = threading.Lock()
        self._over = False  # _lock
        self._error: BaseException | None = None  # _lock
        self._child_socket = reduction.DupFd(self._theirs)  # known to `popen`, which inherits it
        self._watcher = _watch(self)
        popen.__dict__[_ATTRIBUTE] = self
        popen.__class__ = _telling_its_pid(type(popen))

    @staticmethod
    def of(popen: Any) -> Transfer:
        """The transfer to the process that `popen` is starting."""
        found: Transfer | None = popen.__dict__.get(_ATTRIBUTE)
        return Transfer(popen) if found is None else found

    def add(self, handle: _core.Handle) -> tuple[Any, ...]:
        """What is pickled in the handle's place.

        Raises:
            InvalidArgumentError: the handle is closed or sent, or is a Watcher.
        """
        check_movable(handle)
        self._handles.append(handle)
        return Arrival.take, (self, len(self._handles) - 1)

    def __reduce__(self) -> tuple[Any, ...]:
        return Arrival, (self._child_socket,)

    def send(self) -> None:
        """Moves the handles. Nothing happens the second time.

        Raises:
            MojoError: they cannot be sent, and stay here.
        """
        with self._lock:
            if not self._over:
                self._over = True
                try:
                    self._control.write(b"", self._handles)
                except BaseException as error:
                    self._error = error
                self._handles = []
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """Without the handles, if they were not sent; the process sees that and gives up."""
        theirs, self._theirs = self._theirs, -1
        if theirs >= 0:
            self._control.close()
            os.close(theirs)

    def __del__(self) -> None:
        if getattr(self, "_theirs", -1) >= 0:
            self.close()


class Arrival:
    """In the started process: its handles, by number."""

    def __init__(self, child_socket: Any) -> None:
        fd = child_socket.detach()
        os.set_inheritable(fd, False)
        with _core.adopt_socket(fd) as control:
            with suppress(_core.PeerClosedError):  # the parent has sent them, and no more to say
                control.write(b"asks for them")
            _core.wait(control, _core.Signals.READABLE)
            try:
                with control.read() as message:
                    self._handles = message.take_handles()
            except _core.PeerClosedError as error:
                raise _core.AbortedError("the parent kept the handles") from error

    def take(self, number: int) -> _core.Handle:
        """The handle that was pickled as `number`."""
        return self._handles[number]


def _watch(transfer: Transfer) -> _core.Watcher:
    """Sends when the process asks. Does not keep the transfer."""
    reference = weakref.ref(transfer)

    def on_question(
        context: object,
        result: _core.Result,
        state: _core.SignalsState,
        flags: _core.NotificationFlags,
    ) -> None:
        alive = reference()
        if alive is not None and result is _core.Result.OK:
            try:
                alive.send()
            except _core.MojoError:
                alive.close()  # who starts the process is told

    watcher = _core.Watcher(on_question)
    watcher.watch(transfer._control, _core.Signals.READABLE, None)
    watcher.arm()
    return watcher


def _telling_its_pid(cls: type) -> type:
    """A class like `cls`, for an object that has a transfer until it has its `pid`."""

    def set_attribute(self: Any, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name != "pid":
            return
        self.__class__ = cls
        transfer: Transfer = self.__dict__.pop(_ATTRIBUTE)
        try:
            transfer.send()
        except BaseException:
            _end(self.pid, own=self.method == "spawn")
            raise
        finally:
            transfer.close()

    return type(cls.__name__, (cls,), {"__setattr__": set_attribute})


def _end(pid: int, own: bool) -> None:
    """Ends a process that did not get what it was started for."""
    os.kill(pid, signal.SIGKILL)
    if own:  # else it is for the fork server to reap
        os.waitpid(pid, 0)
