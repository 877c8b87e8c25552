"""Actors that use what they have in unusual ways."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor
from troupe.basic import Counter


class Misuser(Actor):
    """Returns the name of the error that it gets."""

    def _try(self, call: Any, *args: Any) -> str:
        try:
            call(*args)
        except Exception as error:
            return type(error).__name__
        return "no error"

    def try_monitor(self, ref: Any) -> str:
        return self._try(self.monitor, ref, print)

    def try_monitor_with(self, method: Any) -> str:
        return self._try(self.monitor, self.ref, method)

    def try_unmonitor(self, ref: Any) -> str:
        return self._try(self.unmonitor, ref)

    def try_link(self, ref: Any) -> str:
        return self._try(self.link, ref)

    def try_spawn(self, actor_class: Any) -> str:
        return self._try(self.spawn, actor_class)


class EagerActor(Actor):
    """Uses it all in its constructor."""

    def __init__(self) -> None:
        child = self.spawn(Counter)
        self.monitor(child, print)
        self.call_later(3600.0, print)
        self._seen = [
            self.ref.is_alive,
            self.task_runner.runs_tasks_in_current_sequence(),
            self.system is not None,
        ]

    def seen(self) -> list[bool]:
        return self._seen


class WithSlots(Actor):
    __slots__ = ("_value",)

    def __init__(self, value: int) -> None:
        self._value = value

    def get(self) -> int:
        return self._value


class WithNew(Actor):
    _value: int

    def __new__(cls, value: int) -> WithNew:
        made = super().__new__(cls)
        made._value = value
        return made

    def get(self) -> int:
        return self._value
