"""The test's side: calls into a child process, and stand-ins for the objects that live there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mojo_seq import BadMessageReport, Handle, spawn_process
from puppets import wire
from puppets.leftovers import leave
from puppets.wire import TIMEOUT, Label, Moved


def itself(obj: Any) -> Any:
    """Returns what it was given. A handle among it has then moved to the child."""
    return obj


def call_method(obj: Any, name: str, *args: Any, **options: Any) -> Any:
    return getattr(obj, name)(*args, **options)


class Remote:
    """Stands for an object in a child: its methods are called there, and raise here."""

    def __init__(self, puppet: Puppet, key: int) -> None:
        self._puppet = puppet
        self._key = key

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **options: self._puppet.call(call_method, self, name, *args, **options)

    def get(self, name: str) -> Any:
        """The value of an attribute."""
        return self._puppet.call(getattr, self, name)


class Puppet:
    """A child process that does what it is told, one call at a time.

    Handles among a call's arguments move to the child. Those in its result stay there, and a
    `Remote` stands for them here, unless the function wrapped them in `Moved`.
    """

    def __init__(self, on_error: Callable[[BadMessageReport], object] | None = None) -> None:
        from puppets.stage import perform  # which has puppets, too

        self.process = spawn_process(perform, name="puppet", on_error=on_error)
        self._waiting_for = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Calls a function in the child, waits for its result; what it raises is raised here."""
        self.begin(function, *args, **options)
        return self.finish()

    def begin(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> None:
        """Like `call`, but does not wait: that is up to `finish`."""
        assert not self._waiting_for, f"{self._waiting_for} was not finished"
        wire.send(self.process.pipe, (function, args, options), self._label)
        self._waiting_for = repr(function)

    def finish(self, timeout: float = TIMEOUT) -> Any:
        assert self._waiting_for, "nothing was begun"
        raised, result = wire.receive(self.process.pipe, self._find, timeout)
        self._waiting_for = ""
        if raised:
            raise result
        return result

    def give(self, handle: Handle) -> Any:
        """Moves a handle to the child."""
        return self.call(itself, handle)

    def take(self, remote: Remote) -> Any:
        """Moves a handle from the child to here."""
        return self.call(Moved, remote)

    def kill(self) -> None:
        """kill -9, and waits until the child is gone."""
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process.pipe.close()
        self._waiting_for = ""

    def close(self) -> None:
        """The child closes all it keeps, tells what it has left behind (nothing), and ends."""
        with self.process:
            if not self.process.pipe.is_valid:
                return  # killed
            unfinished = self._waiting_for
            if unfinished:
                self.kill()
            assert not unfinished, f"{unfinished} was not finished"
            left = self.call(leave)
            self.process.pipe.close()
            code = self.process.wait(TIMEOUT)
        assert (left, code) == ({}, 0), f"left behind in the child: {left}; exit code {code}"

    def _label(self, obj: object, handles: list[Handle]) -> Label | None:
        if isinstance(obj, Handle):
            handles.append(obj)
            return ("moved", len(handles) - 1)
        if isinstance(obj, Remote):
            assert obj._puppet is self, "that object lives in another process"
            return ("kept", obj._key)
        return None

    def _find(self, label: Label, handles: list[Handle]) -> object:
        kind, number = label
        return handles[number] if kind == "moved" else Remote(self, number)
