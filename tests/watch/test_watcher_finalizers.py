"""Finalizers that use the watcher or handle that just let go of them (system rules §9.3, §9.4)."""

import contextlib
import gc
from collections.abc import Callable, Hashable

import pytest

from mojo_seq import (
    Message,
    MessagePipe,
    MojoError,
    NotificationFlags,
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
    Watcher,
)

MakePipe = Callable[[], MessagePipe]
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # things are dropped here


class AtEnd:
    """A context, or a part of a callback, that calls a function when it dies."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def __del__(self) -> None:
        self.function()


def ignore(
    context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
) -> None:
    """A callback for tests that look at something else."""


def test_a_context_may_use_its_watcher_when_it_dies(make_pipe: MakePipe) -> None:
    # System rules §9.4: it dies inside cancel(), with no lock held.
    first, second = make_pipe(), make_pipe()
    with Watcher(ignore) as watcher:
        context = AtEnd(lambda: watcher.watch(second.handle0, Signals.READABLE, "second"))
        watcher.watch(first.handle0, Signals.READABLE, context)
        gone = [context]
        del context
        watcher.cancel(gone.pop())
        gc.collect()
        assert watcher.arm() == []
        watcher.cancel("second")


def test_a_context_may_close_its_watcher_when_it_dies(pipe: MessagePipe) -> None:
    # System rules §9.4: it dies when the handle's closing has cancelled the watch.
    seen: list[Result] = []
    watcher = Watcher(lambda context, result, state, flags: seen.append(result))
    watcher.watch(pipe.handle0, Signals.READABLE, AtEnd(watcher.close))
    pipe.handle0.close()
    gc.collect()
    assert seen == [Result.CANCELLED]
    assert not watcher.is_valid


def test_a_callback_may_write_when_it_dies(pipe: MessagePipe) -> None:
    # Public contract §7: the last reference to the watcher goes, and its callback with it.
    end = AtEnd(lambda: pipe.handle1.write(b"last"))
    watcher = Watcher(lambda *notification, end=end: None)
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    del watcher, end
    gc.collect()
    assert bytes(pipe.handle0.read()) == b"last"


def test_a_message_context_may_close_the_pipe_when_it_dies(pipe: MessagePipe) -> None:
    # System rules §2: closing destroys unread messages, and their objects' finalizers run.
    seen: list[Result] = []
    with Watcher(lambda context, result, state, flags: seen.append(result)) as watcher:
        watcher.watch(pipe.handle1, Signals.PEER_CLOSED, "peer")
        watcher.arm()
        end = AtEnd(pipe.handle1.close)
        pipe.handle1.write_message(Message.from_object(end))
        del end
        pipe.handle0.close()
        gc.collect()
        assert seen in ([Result.OK, Result.CANCELLED], [Result.CANCELLED])
        assert not pipe.handle1.is_valid


def test_dropping_a_watcher_while_another_is_dispatching(make_pipe: MakePipe) -> None:
    # System rules §9.3: its CANCELLED waits for the running callback like any other.
    first, second = make_pipe(), make_pipe()
    order: list[str] = []
    inner = [Watcher(lambda context, result, *rest: order.append(f"inner {result.name}"))]
    inner[0].watch(second.handle0, Signals.READABLE, "second")

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result == Result.OK:
            inner.clear()
            gc.collect()
            order.append("outer ends")

    with Watcher(callback) as outer:
        outer.watch(first.handle0, Signals.READABLE, "first")
        outer.arm()
        first.handle1.write(b"x")
        assert order == ["outer ends", "inner CANCELLED"]


def test_a_simple_watchers_callback_may_use_the_loop_when_it_dies(pipe: MessagePipe) -> None:
    # Public contract §9: cancelling lets the callback go; its finalizer posts.
    loop = RunLoop()
    ran: list[int] = []

    def step() -> None:
        end = AtEnd(lambda: loop.task_runner.post_task(ran.append, 1))
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, lambda *rest, end=end: None)
        del end
        watcher.cancel()
        gc.collect()

    done = loop.task_runner.submit(step)
    loop.run_until_idle()
    done.result(timeout=0)
    assert ran == [1]


class Collecting:
    """A context during whose look-up garbage is collected."""

    def __hash__(self) -> int:
        gc.collect()
        return 1

    def __eq__(self, other: object) -> bool:
        gc.collect()
        return self is other


def test_finalizers_may_close_what_is_being_watched(make_pipe: MakePipe) -> None:
    # System rules §9.1: watch() was refused, or its watch has got its CANCELLED.
    for closes in ("handle", "watcher"):
        pipe = make_pipe()
        seen: list[Result] = []
        watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
        garbage: list[object] = [AtEnd(pipe.handle0.close if closes == "handle" else watcher.close)]
        garbage.append(garbage)
        del garbage
        try:
            watcher.watch(pipe.handle0, Signals.READABLE, Collecting())
        except MojoError:
            assert seen == []
        else:
            assert seen == [Result.CANCELLED]
        watcher.close()


def test_finalizers_may_close_the_watcher_while_it_cancels(make_pipe: MakePipe) -> None:
    # System rules §9.3: CANCELLED is delivered once, whoever came first.
    pipe = make_pipe()
    seen: list[Result] = []
    watcher = Watcher(lambda context, result, *rest: seen.append(result))
    context = Collecting()
    watcher.watch(pipe.handle0, Signals.READABLE, context)
    garbage: list[object] = [AtEnd(watcher.close)]
    garbage.append(garbage)
    del garbage
    with contextlib.suppress(MojoError):  # closed before it could be cancelled
        watcher.cancel(context)
    assert seen == [Result.CANCELLED]
