"""Calls and results as messages: pickles in which handles and kept objects have numbers."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from mojo_seq import Handle, Message, MessagePipeHandle, Result, Signals, wait

# Shorter than the global test timeout, so that a hang shows who waited for what.
TIMEOUT = 30.0

Label = tuple[str, int]


class Moved(NamedTuple):
    """What a function returns so that a handle goes to the caller instead of staying there."""

    handle: Handle


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, label: Callable[[object], Label | None]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._label = label

    def persistent_id(self, obj: object) -> Label | None:
        return self._label(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, find: Callable[[Label], object]) -> None:
        super().__init__(file)
        self._find = find

    def persistent_load(self, label: Any) -> Any:
        return self._find(label)


def send(
    pipe: MessagePipeHandle, value: object, label: Callable[[object, list[Handle]], Label | None]
) -> None:
    """Writes a value; `label` names what is not to be pickled, and lists handles that move."""
    handles: list[Handle] = []
    file = io.BytesIO()
    _Pickler(file, lambda obj: label(obj, handles)).dump(value)
    pipe.write(file.getbuffer(), handles)


def receive(
    pipe: MessagePipeHandle,
    find: Callable[[Label, list[Handle]], object],
    timeout: float | None = None,
) -> Any:
    """Reads a value that `send` wrote.

    Raises: EOFError: the other side is gone. TimeoutError: it did not answer.
    """
    result, _ = wait(pipe, Signals.READABLE, timeout)
    if result is Result.DEADLINE_EXCEEDED:
        raise TimeoutError("no answer from the other process")
    if result is not Result.OK:
        raise EOFError("the other process is gone")
    with pipe.read() as message:
        return _load(message, find)


def _load(message: Message, find: Callable[[Label, list[Handle]], object]) -> Any:
    handles = message.take_handles()
    return _Unpickler(io.BytesIO(message.payload), lambda label: find(label, handles)).load()
