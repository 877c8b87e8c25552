"""Making watchers and watches; what is refused (public contract §7, system rules §9.1)."""

import gc
import os
import weakref
from collections.abc import Callable, Hashable, Iterator

import pytest

from mojo_seq import (
    AlreadyExistsError,
    Handle,
    InvalidArgumentError,
    MessagePipe,
    Result,
    Signals,
    Watcher,
    create_shared_buffer,
    wrap_fd,
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


def test_a_watcher_is_a_handle_without_signals(watcher: Watcher) -> None:
    # Public contract §2, system rules §8.4.
    assert isinstance(watcher, Handle)
    assert watcher.is_valid and watcher.value != 0
    state = watcher.query_signals_state()
    assert (state.satisfied, state.satisfiable) == (Signals.NONE, Signals.NONE)


def test_the_callback_must_be_callable() -> None:
    # Public contract §1: wrong Python type.
    with pytest.raises(TypeError):
        Watcher("not callable")  # type: ignore[arg-type]


def test_a_new_watcher_is_disarmed(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1: starts disarmed.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle1.write(b"x")
    assert outcomes == []


def test_a_context_in_use_is_refused(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.1: context already used -> ALREADY_EXISTS.
    watcher.watch(make_pipe().handle0, Signals.READABLE, "same")
    with pytest.raises(AlreadyExistsError):
        watcher.watch(make_pipe().handle0, Signals.READABLE, "same")


def test_contexts_are_compared_by_equality(watcher: Watcher, make_pipe: MakePipe) -> None:
    # Public contract §7: any hashable is a context.
    watcher.watch(make_pipe().handle0, Signals.READABLE, (1, "a"))
    with pytest.raises(AlreadyExistsError):
        watcher.watch(make_pipe().handle0, Signals.READABLE, tuple([1, "a"]))
    watcher.cancel((1, "a"))


def test_a_handle_is_watched_once_by_one_watcher(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.1: handle already watched by this watcher -> ALREADY_EXISTS.
    watcher.watch(pipe.handle0, Signals.READABLE, "first")
    with pytest.raises(AlreadyExistsError):
        watcher.watch(pipe.handle0, Signals.PEER_CLOSED, "second")


def test_a_refused_watch_leaves_the_first_as_it_was(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # Public contract §1: nothing is lost on failure.
    watcher.watch(pipe.handle0, Signals.READABLE, "first")
    with pytest.raises(AlreadyExistsError):
        watcher.watch(pipe.handle0, Signals.WRITABLE, "second")
    assert watcher.arm() == []
    pipe.handle1.write(b"x")
    assert outcomes == [("first", Result.OK)]


def test_a_refused_context_is_not_kept_alive(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §1: a call that raises keeps nothing.
    watcher.watch(pipe.handle0, Signals.READABLE, "first")
    context = Token()
    alive = weakref.ref(context)
    with pytest.raises(AlreadyExistsError):
        watcher.watch(pipe.handle0, Signals.READABLE, context)
    del context
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("context", [0, None, "", ()])
def test_false_contexts_are_legal(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome], context: Hashable
) -> None:
    # System rules §9.1: context 0 is legal.
    watcher.watch(pipe.handle0, Signals.READABLE, context)
    watcher.cancel(context)
    assert outcomes == [(context, Result.CANCELLED)]


def test_an_unhashable_context_is_a_type_error(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §7: contexts are Hashable.
    with pytest.raises(TypeError):
        watcher.watch(pipe.handle0, Signals.READABLE, [])  # type: ignore[arg-type]


def test_watching_a_non_handle_is_a_type_error(watcher: Watcher) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        watcher.watch("handle", Signals.READABLE, "ctx")  # type: ignore[arg-type]


def test_unknown_signal_bits_are_refused(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §1: integers outside their domain.
    with pytest.raises(InvalidArgumentError):
        watcher.watch(pipe.handle0, 1 << 20, "ctx")


def test_signals_may_be_a_plain_int(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # Public contract §1: every argument that takes signals also takes a plain int.
    watcher.watch(pipe.handle0, 1, "in")
    watcher.arm()
    pipe.handle1.write(b"x")
    assert outcomes == [("in", Result.OK)]


def test_handles_without_signals_cannot_be_watched(watcher: Watcher) -> None:
    # System rules §9.1, §8.4: shared buffers, platform handles and watchers are unwatchable.
    with (
        create_shared_buffer(64) as buffer,
        wrap_fd(os.open(os.devnull, os.O_RDONLY)) as platform,
        Watcher(print) as other,
    ):
        for unwatchable in (buffer, platform, other):
            with pytest.raises(InvalidArgumentError):
                watcher.watch(unwatchable, Signals.READABLE, "ctx")


def test_a_watcher_cannot_watch_itself(watcher: Watcher) -> None:
    # System rules §9.1: including w itself, and it must not deadlock.
    with pytest.raises(InvalidArgumentError):
        watcher.watch(watcher, Signals.READABLE, "me")


def test_a_closed_handle_cannot_be_watched(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.1.
    pipe.handle0.close()
    with pytest.raises(InvalidArgumentError):
        watcher.watch(pipe.handle0, Signals.READABLE, "ctx")


def test_a_sent_handle_cannot_be_watched(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.1: closed or in transit.
    carrier, passenger = make_pipe(), make_pipe()
    carrier.handle0.write(b"", [passenger.handle0])
    with pytest.raises(InvalidArgumentError):
        watcher.watch(passenger.handle0, Signals.READABLE, "ctx")
