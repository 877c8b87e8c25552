"""The child's side: where a puppet does what it is told, and what it keeps."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

from mojo_seq import (
    Handle,
    Message,
    MessagePipeHandle,
    ReadWindow,
    SharedBufferMapping,
    SimpleWatcher,
    ThreadPool,
    WaitableEvent,
    WaitSet,
    WriteWindow,
)
from puppets import wire
from puppets.leftovers import holdings, leave, more_than, warm_up
from puppets.puppet import Puppet, Remote
from puppets.wire import Label, Moved


class Prop:
    """Base of the objects of the tests' own that stay in the child."""

    def close(self) -> None:
        """Gives up what it owns."""


# What results are made of that cannot be pickled, and stays where it is.
STAYS = (
    Handle,
    Message,
    ReadWindow,
    WriteWindow,
    SharedBufferMapping,
    SimpleWatcher,
    WaitSet,
    WaitableEvent,
    ThreadPool,
    Puppet,
    Remote,
    Prop,
    memoryview,
)


class Stage:
    def __init__(self, pipe: MessagePipeHandle) -> None:
        self._pipe = pipe
        self._kept = dict[int, Any]()

    def requests(self) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
        """Calls to make, until the caller is gone."""
        while True:
            try:
                yield wire.receive(self._pipe, self._find)
            except EOFError:
                return

    def reply(self, raised: bool, result: object) -> None:
        wire.send(self._pipe, (raised, result), self._label)

    def close(self) -> None:
        """Closes what is kept, the newest first."""
        while self._kept:
            _, obj = self._kept.popitem()
            if isinstance(obj, memoryview):
                obj.release()
            elif hasattr(obj, "close") and not isinstance(obj, Remote):
                obj.close()

    def _label(self, obj: object, handles: list[Handle]) -> Label | None:
        if isinstance(obj, Moved):
            handles.append(obj.handle)
            return ("moved", len(handles) - 1)
        if isinstance(obj, STAYS):
            key = len(self._kept)
            self._kept[key] = obj
            return ("kept", key)
        return None

    def _find(self, label: Label, handles: list[Handle]) -> object:
        kind, number = label
        return handles[number] if kind == "moved" else self._kept[number]


def perform(pipe: MessagePipeHandle) -> None:
    """The main function of a puppet."""
    warm_up()
    before = holdings()
    with pipe:
        stage = Stage(pipe)
        for function, args, options in stage.requests():
            if function is leave:
                del args, options
                stage.close()
                stage.reply(False, more_than(before))
                continue
            try:
                result = function(*args, **options)
            except Exception as exc:
                _explain(exc)
                stage.reply(True, exc)
            else:
                stage.reply(False, result)
                del result
            del function, args, options  # they would be left behind


def _explain(exc: BaseException) -> None:
    """Notes where it happened. A traceback does not travel, and would keep objects alive here."""
    exc.add_note("in the child:\n" + "".join(traceback.format_exception(exc)))
    each: BaseException | None = exc
    while each is not None:
        each.__traceback__ = None
        each = each.__context__
