"""ServingThread: waits on the pipes of a node's clients, and runs what their messages are for."""

from __future__ import annotations

import itertools
import os
import threading

from mojo_seq import _core
from mojo_seq.actor.remote.io_thread import io_thread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.remote.accepted import Accepted

_MOST_PIPES = 8  # that are waited on directly; the I/O thread does it for the others
_TICK = 0.005
_IDLE_TICKS = 10

_numbers = itertools.count(1)


class ServingThread(_core.ServingBase):
    """One more thread for a system's pool. While it has nothing to do it waits on the pipes itself;
    what comes in it gives to the actors, and runs them, with no other thread to be woken.

    While it runs an actor nobody waits on the pipes. That is noticed by a tick on the I/O thread,
    which has them watched until this thread is back.

    What every message takes is in the core, and these fields. _direct: those that it waits on,
    _pipes: theirs, and that of the bell; _changed: _accepted, since the thread looked; _resting: it
    waits on the pipes; _watched: others do; _turns: how often it has begun to run something.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._threads = system._pool._threads
        self._lock = threading.Lock()
        self._accepted: list[Accepted] = []  # _lock
        self._direct: list[Accepted] = []
        self._changed = True
        self._bell, self._ear = _core.create_message_pipe()
        self._idle_ticks = 0  # the tick's
        self._io = io_thread.acquire()
        self._thread = threading.Thread(
            target=self._run, name=f"mojo_seq-serving-{next(_numbers)}", daemon=True
        )
        self._thread.start()

    # Any thread.

    def add(self, accepted: Accepted) -> None:
        """Serves one more pipe."""
        with self._lock:
            self._accepted.append(accepted)
            if not self._resting:
                accepted.watch()  # it may not be back for long
        self._ring()

    def remove(self, accepted: Accepted) -> None:
        """Serves it no longer."""
        with self._lock:
            if accepted in self._accepted:
                self._accepted.remove(accepted)
        self._ring()

    def close(self) -> None:
        """Ends the thread."""
        with self._lock:
            self._closing = True
        self._ring()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _ring(self) -> None:
        with self._lock:
            self._changed = True
            if not self._resting:
                return
        try:
            self._bell.write()
        except _core.MojoError:
            return  # it has ended

    # The thread.

    def _run(self) -> None:
        pool = getattr(self._threads, "pool", None)
        _core.set_stand_in(self)
        serve: Callable[..., None] | None = getattr(pool, "serve", None)
        try:
            if serve is not None:
                serve(self._poll, self._dispatch, self._threads._start_another)
            else:
                while (found := self._poll()) is not None:
                    self._dispatch(found)
        finally:
            _core.set_stand_in(None)
            self._bell.close()
            self._ear.close()
            io_thread.release(os.getpid())

    def _prepare(self) -> bool:
        with self._lock:
            self._resting = True
            if self._changed:
                self._changed = False
                self._look_around()
            self._watched = False
            if self._closing:
                return False
        for each in self._direct:  # from the I/O thread, if it had to stand in
            if not each.served:
                each.served = True
                each.unwatch()
        return True

    def _heard(self) -> None:
        self._ear.read_batch()

    def _look_around(self) -> None:
        """The first pipes are waited on here, the others are watched."""
        alive = [each for each in self._accepted if not each.lost]
        self._direct = alive[:_MOST_PIPES]
        for each in alive[_MOST_PIPES:]:
            each.watch()
        self._pipes = [self._ear, *(each.pipe for each in self._direct)]

    def begin(self) -> None:
        """It is about to wait for something else, in the middle of running an actor."""
        with self._lock:
            self._watch_all()

    def end(self) -> None:
        """What it waited for has come. What was sent before that, as a command to end or to cancel,
        must not come after it."""
        with self._lock:
            accepted = list(self._accepted)
        for each in accepted:
            each.read()

    def _watch_all(self) -> None:
        self._watched = True
        for each in self._accepted:  # also those that have come since it looked around
            each.served = False
            each.watch()

    # The tick, on the I/O thread.

    def _begin_ticking(self) -> None:
        with self._lock:
            if self._ticking:
                return
            self._ticking = True
            self._idle_ticks = 0
        self._io.post_delayed_task(_TICK, self._tick)

    def _tick(self) -> None:
        with self._lock:
            if self._turns != self._seen_turns:
                self._seen_turns = self._turns
                self._idle_ticks = 0
            elif self._resting:
                self._idle_ticks += 1
            else:
                self._idle_ticks = 0
                self._watch_all()
            if self._closing or self._idle_ticks > _IDLE_TICKS:
                self._ticking = False
                if self._closing or self._turns == self._seen_turns:
                    return
                self._ticking = True  # it began to run something before it could see that
        self._io.post_delayed_task(_TICK, self._tick)
