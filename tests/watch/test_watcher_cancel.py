"""Ends of watches: cancel, close, transfer, dropping (public contract §7, system rules §9)."""

import gc
import sys
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    NotFoundError,
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
    fuse_message_pipes,
)

MakePipe = Callable[[], MessagePipe]
Outcome = tuple[Hashable, Result]


@pytest.fixture
def outcomes() -> list[Outcome]:
    """What the watcher of the test was told, in order."""
    return []


@pytest.fixture
def watcher(outcomes: list[Outcome]) -> Iterator[Watcher]:
    with Watcher(lambda context, result, state, flags: outcomes.append((context, result))) as made:
        yield made


class Token:
    """Something a weak reference can be made to."""


def test_cancelling_an_unknown_context_is_not_found(watcher: Watcher) -> None:
    # System rules §9.1.
    with pytest.raises(NotFoundError):
        watcher.cancel("nothing")


def test_cancel_delivers_cancelled_before_it_returns(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.cancel("in")
    assert outcomes == [("in", Result.CANCELLED)]


def test_a_cancelled_context_is_free_again(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1: free for reuse as soon as the call has removed it.
    for _ in range(3):
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.cancel("in")
    assert outcomes == [("in", Result.CANCELLED)] * 3


def test_cancelled_carries_an_empty_state_and_no_flags(pipe: MessagePipe) -> None:
    # System rules §9.3: CANCELLED has the signals state {0, 0}.
    seen: list[tuple[SignalsState, NotificationFlags]] = []
    with Watcher(lambda context, result, state, flags: seen.append((state, flags))) as watcher:
        watcher.watch(pipe.handle0, Signals.WRITABLE, "out")
    [(state, flags)] = seen
    assert (state.satisfied, state.satisfiable) == (Signals.NONE, Signals.NONE)
    assert flags == NotificationFlags.NONE


@pytest.mark.parametrize("armed", [True, False])
def test_closing_the_handle_cancels_its_watch(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome], armed: bool
) -> None:
    # System rules §9.3: exactly once, armed or not.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    if armed:
        watcher.arm()
    pipe.handle0.close()
    assert outcomes == [("in", Result.CANCELLED)]
    with pytest.raises(NotFoundError):
        watcher.cancel("in")


def test_sending_the_handle_cancels_its_watch(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §4.5, §9.3: a transferred handle's watches are cancelled.
    carrier, passenger = make_pipe(), make_pipe()
    watcher.watch(passenger.handle0, Signals.READABLE, "in")
    carrier.handle0.write(b"", [passenger.handle0])
    assert outcomes == [("in", Result.CANCELLED)]


def test_fusing_the_handle_cancels_its_watch(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §4.4, §9.3.
    left, right = make_pipe(), make_pipe()
    watcher.watch(left.handle1, Signals.READABLE, "left")
    watcher.watch(right.handle0, Signals.READABLE, "right")
    fuse_message_pipes(left.handle1, right.handle0)
    assert sorted(outcomes, key=str) == [("left", Result.CANCELLED), ("right", Result.CANCELLED)]


def test_a_handle_that_could_not_be_sent_is_still_watched(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # Public contract §1: nothing is lost on failure; watches of what was passed in are unchanged.
    carrier, passenger = make_pipe(), make_pipe()
    watcher.watch(passenger.handle0, Signals.READABLE, "in")
    carrier.handle1.close()
    with pytest.raises(BrokenPipeError):
        carrier.handle0.write(b"", [passenger.handle0])
    assert outcomes == []
    watcher.arm()
    passenger.handle1.write(b"x")
    assert outcomes == [("in", Result.OK)]


def test_closing_the_watcher_cancels_every_watch_once(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3.
    pipes = [make_pipe() for _ in range(5)]
    for number, pipe in enumerate(pipes):
        watcher.watch(pipe.handle0, Signals.READABLE, number)
    watcher.close()
    watcher.close()
    for pipe in pipes:
        pipe.handle1.write(b"x")
        pipe.handle0.close()
    assert sorted(outcomes, key=str) == [(number, Result.CANCELLED) for number in range(5)]


def test_a_closed_watcher_refuses_everything(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §2.
    watcher.close()
    assert not watcher.is_valid and watcher.value == 0
    calls: list[Callable[[], Any]] = [
        lambda: watcher.watch(pipe.handle0, Signals.READABLE, "ctx"),
        lambda: watcher.cancel("ctx"),
        lambda: watcher.arm(),
        lambda: watcher.query_signals_state(),
    ]
    for call in calls:
        with pytest.raises(InvalidArgumentError):
            call()


def test_dropping_the_last_reference_closes_the_watcher(
    pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # Public contract §7: a watched handle does not keep its watcher alive.
    watcher = Watcher(lambda context, result, state, flags: outcomes.append((context, result)))
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del watcher
        gc.collect()
    assert outcomes == [("in", Result.CANCELLED)]


def test_a_callback_that_raises_is_reported_and_breaks_nothing(
    make_pipe: MakePipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Public contract §7: reported through sys.unraisablehook, never swallowed.
    reported: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: reported.append(args.exc_value))
    seen: list[Outcome] = []

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        seen.append((context, result))
        raise RuntimeError(f"from {context}")

    first, second = make_pipe(), make_pipe()
    with Watcher(callback) as watcher:
        watcher.watch(first.handle0, Signals.READABLE, "first")
        watcher.watch(second.handle0, Signals.READABLE, "second")
        watcher.arm()
        first.handle1.write(b"x")
        assert seen == [("first", Result.OK)]
    assert sorted(seen[1:], key=str) == [("first", Result.CANCELLED), ("second", Result.CANCELLED)]
    assert sorted(map(str, reported)) == ["from first", "from first", "from second"]


def test_a_cancelled_watch_lets_its_context_go(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §7: contexts are the watch's, and the watch is over.
    context = Token()
    alive = weakref.ref(context)
    with Watcher(lambda *notification: None) as forgetful:
        forgetful.watch(pipe.handle0, Signals.READABLE, context)
        forgetful.cancel(context)
        del context
        gc.collect()
        assert alive() is None


def test_work_in_a_cancelled_callback_is_legal(make_pipe: MakePipe) -> None:
    # System rules §9.4: all the same in the callback that tells of the cancellation.
    first, second = make_pipe(), make_pipe()
    seen: list[Outcome] = []

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        seen.append((context, result))
        if context == "a":
            busy.watch(second.handle0, Signals.READABLE, "b")
            assert busy.arm() == []
            second.handle1.write(b"x")

    with Watcher(callback) as busy:
        busy.watch(first.handle0, Signals.READABLE, "a")
        first.handle0.close()
        assert seen == [("a", Result.CANCELLED), ("b", Result.OK)]
