"""What runs in a worker process: it starts services as it is told, each on a thread of its own."""

from __future__ import annotations

import faulthandler
import logging
import pickle
import signal
import sys
import threading
import traceback
from _queue import SimpleQueue

from mojo_seq import _core
from mojo_seq.process.deadline import Deadline
from mojo_seq.process.remote_traceback import Failure
from mojo_seq.process.spawn_arguments import Arguments

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.process.spawn_arguments import Packed

_GRACE_PERIOD = 4.0  # of services whose pipes were closed; the pool gives the process one more


def serve(
    pipe: _core.MessagePipeHandle, control: _core.MessagePipeHandle, setup: Packed | None
) -> None:
    """The target of a worker process. Returns when the pool closes `control`.

    Args:
        pipe: of `spawn_process`; not needed.
        control: brings the services to be started, each as packed arguments, with its pipe as the
            first handle. What goes back is the reason why none will be: a text, and the pickled
            error.
        setup: the packed initializer.
    """
    pipe.close()
    # Ctrl-C is for the pool's process, which ends this one. A handler, other than SIG_IGN, is not
    # inherited by programs that services start.
    signal.signal(signal.SIGINT, _ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    faulthandler.enable()
    with control:
        if setup is not None:
            _initialize(control, setup)
        ServiceHost(control).run()


def _ignore(number: int, frame: object) -> None:
    """Ctrl-C."""


def _initialize(control: _core.MessagePipeHandle, setup: Packed) -> None:
    try:
        initializer, args = Arguments(setup, []).load()
        initializer(*args)
    except BaseException as error:
        what = "".join(traceback.format_exception_only(error)).strip()
        reason = f"its initializer raised {what}".encode(errors="backslashreplace")
        control.write(reason)
        control.write(pickle.dumps(Failure(error), pickle.HIGHEST_PROTOCOL))
        raise


class ServiceHost:
    """Starts services until its control pipe is closed, then ends them.

    Args:
        control: stays the caller's.
    """

    def __init__(self, control: _core.MessagePipeHandle) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._services = set[Service]()  # _lock
        self._for_main: SimpleQueue[Service | None] = SimpleQueue()
        self._main_is_free = True  # there is no other thread for the control pipe

    def run(self) -> None:
        """Returns when all services have ended, or the time is over that they have for it."""
        if self._follow():
            return
        # From the first service for this thread on, which nobody else may interrupt.
        while (service := self._for_main.get()) is not None:
            service.run()

    def _follow(self) -> bool:
        """Does what the control pipe says. False: this thread is needed for a service."""
        while True:
            _core.wait(self._control, _core.Signals.READABLE)
            try:
                messages = self._control.read_batch()
            except _core.PeerClosedError:
                break
            for message in messages:
                self._start(message)
            if self._main_is_free and not self._for_main.empty():
                self._main_is_free = False
                threading.Thread(target=self._follow_beside, name="control", daemon=True).start()
                return False
        self._end_services()
        return True

    def _follow_beside(self) -> None:
        try:
            self._follow()
        finally:
            self._for_main.put(None)

    def _start(self, message: _core.Message) -> None:
        with message:
            service = Service(bytes(message), message.take_handles(), self._forget)
        with self._lock:
            self._services.add(service)
        if service.is_for_main:
            self._for_main.put(service)
            return
        try:
            service.start()
        except RuntimeError:  # there are too many threads
            service.give_up()
            logging.getLogger("mojo_seq").exception("a service could not be started")

    def _forget(self, service: Service) -> None:
        with self._lock:
            self._services.discard(service)

    def _end_services(self) -> None:
        with self._lock:
            services = list(self._services)
        for service in services:
            service.tell_to_end()
        deadline = Deadline(_GRACE_PERIOD)
        left = [each.name for each in services if not each.over.wait(deadline.remaining())]
        if left:
            logging.getLogger("mojo_seq").warning(
                "not ended within %g s after their pipes were closed: %s",
                _GRACE_PERIOD,
                ", ".join(left),
            )


class Service:
    """A function that runs on a thread of its own, with a pipe to whoever has opened the service.

    One that says `on_main` is for the main thread: one after the other.

    The pipe is closed when the function has returned, and when the worker is to end: a wait is
    CANCELLED then, and what else it does with the pipe raises, which is taken for its end.

    Args:
        payload, handles: the packed function and its arguments; the first handle is the pipe.
        on_end: called when all is over, on the thread.
    """

    def __init__(
        self, payload: bytes, handles: list[_core.Handle], on_end: Callable[[Service], None]
    ) -> None:
        pipe = handles.pop(0)
        assert isinstance(pipe, _core.MessagePipeHandle)
        self.pipe = pipe
        self.name = "service"
        self.over = threading.Event()
        self._arguments = Arguments(payload, handles)
        self.is_for_main = "on_main" in self._arguments.preparation
        self._handles = handles
        self._on_end = on_end
        self._told = False

    def start(self) -> None:
        """Runs it on a thread of its own.

        Raises:
            RuntimeError: there are too many.
        """
        threading.Thread(target=self.run, name=self.name, daemon=True).start()

    def tell_to_end(self) -> None:
        """By closing its pipe."""
        self._told = True
        self.pipe.close()

    def give_up(self) -> None:
        """It will not be run."""
        for each in (self.pipe, *self._handles):
            each.close()
        self._end()

    def run(self) -> None:
        """Runs it on this thread."""
        thread = threading.current_thread()
        try:
            target, args = self._load()
            self.name = f"service {getattr(target, '__qualname__', type(target).__name__)}"
            if not self.is_for_main:
                thread.name = self.name
            target(self.pipe, *args)
        except BaseException as error:  # also of unpickling
            if self._told and isinstance(error, _core.MojoError):
                return  # whatever it was about to do with the pipe cannot be done any more
            # Which tells the pool's process: before the pipe does, and before this one can end.
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), thread)))
        finally:
            self.pipe.close()
            self._end()

    def _end(self) -> None:
        self._on_end(self)
        self.over.set()

    def _load(self) -> tuple[Callable[..., object], list[Any]]:
        # On this thread, as importing what it needs may take a while.
        try:
            return self._arguments.load()
        except BaseException:
            for each in self._handles:
                each.close()
            raise
        finally:
            del self._arguments, self._handles
