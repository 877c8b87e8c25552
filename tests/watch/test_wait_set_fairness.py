"""WaitSet: what does not fit is not lost, and nobody starves (system rules §11)."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    Handle,
    InvalidArgumentError,
    MessagePipe,
    NotFoundError,
    ReadyHandle,
    Result,
    Signals,
    WaitableEvent,
    WaitSet,
    WaitSetResult,
)

MakePipe = Callable[[], MessagePipe]
TIMEOUT = 30.0
BLINK = 0.01


def filled(pipes: Iterable[MessagePipe]) -> WaitSet:
    """A set with handle0 of each pipe, waiting for READABLE."""
    waits = WaitSet()
    for pipe in pipes:
        waits.add_handle(pipe.handle0, Signals.READABLE)
    return waits


def drain(waits: WaitSet, max_ready: int = 16) -> list[ReadyHandle]:
    """Everything that can be had without waiting; only cancelled handles stop being ready."""
    found: list[ReadyHandle] = []
    while ready := waits.wait(max_ready, timeout=0).ready:
        found += ready
    return found


def test_max_ready_limits_the_answer(make_pipe: MakePipe) -> None:
    # System rules §11: n = min(room, ready).
    pipes = [make_pipe() for _ in range(20)]
    waits = filled(pipes)
    for pipe in pipes:
        pipe.handle1.write(b"x")
    assert len(waits.wait(5).ready) == 5
    assert 0 < len(waits.wait().ready) <= 16


def test_what_did_not_fit_comes_with_the_next_waits(make_pipe: MakePipe) -> None:
    # System rules §11: left-over ready entries are kept and returned by the next wait.
    pipes = [make_pipe() for _ in range(20)]
    waits = filled(pipes)
    for pipe in pipes:
        pipe.handle1.write(b"x")
    seen: set[Handle] = set()
    for _ in range(20):
        [ready] = waits.wait(1).ready
        assert ready.handle not in seen, "reported twice before the others were reported once"
        seen.add(ready.handle)
    assert len(seen) == 20


def test_a_cancelled_handle_is_reported_and_removed(pipe: MessagePipe) -> None:
    # System rules §11: closed elsewhere -> CANCELLED, removed automatically.
    waits = filled([pipe])
    pipe.handle0.close()
    [ready] = waits.wait().ready
    assert ready.handle is pipe.handle0 and ready.result is Result.CANCELLED
    assert waits.wait() == (None, [])
    with pytest.raises(NotFoundError):
        waits.remove_handle(pipe.handle0)


def test_a_sent_handle_is_cancelled_too(make_pipe: MakePipe) -> None:
    # System rules §4.5: a transferred handle's watches are cancelled.
    carrier, passenger = make_pipe(), make_pipe()
    waits = filled([passenger])
    carrier.handle0.write(b"", [passenger.handle0])
    assert [ready.result for ready in waits.wait().ready] == [Result.CANCELLED]


def test_every_cancellation_is_reported_exactly_once(make_pipe: MakePipe) -> None:
    # System rules §11: even if it happened between waits or did not fit in the output.
    pipes = [make_pipe() for _ in range(30)]
    waits = filled(pipes)
    for pipe in pipes:
        pipe.handle0.close()
    found = drain(waits, 4)
    assert {ready.result for ready in found} == {Result.CANCELLED}
    assert len(found) == len({id(ready.handle) for ready in found}) == 30


def test_a_cancellation_replaces_a_ready_entry_that_was_not_yet_given(make_pipe: MakePipe) -> None:
    # System rules §11, §9.3: CANCELLED is last; nothing is reported of the handle after it.
    pipes = [make_pipe() for _ in range(6)]
    waits = filled(pipes)
    for pipe in pipes:
        pipe.handle1.write(b"x")
    waits.wait(1)
    for pipe in pipes:
        pipe.handle0.close()
    last: dict[Handle, Result] = {}
    for ready in drain(waits, 2):
        assert last.get(ready.handle) is not Result.CANCELLED
        last[ready.handle] = ready.result
    assert set(last.values()) == {Result.CANCELLED} and len(last) == 6


def test_closing_a_member_on_another_thread_ends_the_wait(make_pipe: MakePipe) -> None:
    # System rules §11: blocks until some handle is ready, unsatisfiable or closed.
    pipes = [make_pipe() for _ in range(3)]
    waits = filled(pipes)
    waiting = threading.Event()

    def body() -> WaitSetResult:
        waiting.set()
        return waits.wait()

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipes[2].handle0.close()
        [ready] = future.result(TIMEOUT).ready
    assert ready.handle is pipes[2].handle0 and ready.result is Result.CANCELLED


def test_a_closed_handle_cannot_come_back(pipe: MessagePipe) -> None:
    # System rules §11: bad handle -> INVALID, also one that was a member.
    waits = filled([pipe])
    pipe.handle0.close()
    waits.wait()
    with pytest.raises(InvalidArgumentError):
        waits.add_handle(pipe.handle0, Signals.READABLE)


def test_with_room_for_one_a_hundred_handles_and_ten_events_are_all_seen(
    make_pipe: MakePipe,
) -> None:
    # System rules §11 (no starvation): everything is seen within finitely many waits.
    waits = WaitSet()
    unseen_handles: set[Handle] = set()
    for _ in range(50):
        for end in make_pipe():
            waits.add_handle(end, Signals.WRITABLE)
            unseen_handles.add(end)
    events = [WaitableEvent(signaled=True) for _ in range(10)]
    for event in events:
        waits.add_event(event)
    unseen_events = {id(event) for event in events}
    for _ in range(5000):
        answer = waits.wait(1)
        assert answer.event is not None or answer.ready
        unseen_handles -= {ready.handle for ready in answer.ready}
        unseen_events -= {id(answer.event)}
        if not unseen_handles and not unseen_events:
            return
    raise AssertionError(f"starved: {len(unseen_handles)} handles, {len(unseen_events)} events")


def test_a_permanently_ready_handle_does_not_hide_the_others(make_pipe: MakePipe) -> None:
    # System rules §11: rotating order, with members that become ready later.
    busy, late = make_pipe(), make_pipe()
    waits = WaitSet()
    waits.add_handle(busy.handle0, Signals.WRITABLE)
    waits.add_handle(late.handle0, Signals.READABLE)
    for _ in range(3):
        assert waits.wait(1).ready[0].handle is busy.handle0
    late.handle1.write(b"x")
    seen = {waits.wait(1).ready[0].handle for _ in range(4)}
    assert seen == {busy.handle0, late.handle0}


def test_events_signaled_from_many_threads_are_all_seen(make_pipe: MakePipe) -> None:
    # System rules §11: each signal of an automatic event ends one wait; none is lost.
    quiet = make_pipe()
    waits = filled([quiet])
    events = [WaitableEvent(manual_reset=False) for _ in range(4)]
    seen = {id(event): threading.Semaphore(0) for event in events}
    rounds = 200
    for event in events:
        waits.add_event(event)

    def signal_all(event: WaitableEvent) -> None:
        for _ in range(rounds):
            event.signal()
            assert seen[id(event)].acquire(timeout=TIMEOUT), "a signal was lost"

    with ThreadPoolExecutor(4) as executor:
        signaling = [executor.submit(signal_all, event) for event in events]
        for _ in range(4 * rounds):
            answer = waits.wait(timeout=TIMEOUT)
            assert answer.event is not None
            seen[id(answer.event)].release()
        for future in signaling:
            future.result(TIMEOUT)
    assert waits.wait(timeout=BLINK) == (None, [])
