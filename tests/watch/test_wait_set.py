"""WaitSet: members, results, level triggering, fairness (public contract §9, system rules §11)."""

import gc
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    AlreadyExistsError,
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
    Watcher,
    wrap_fd,
)

MakePipe = Callable[[], MessagePipe]
TIMEOUT = 30.0
BLINK = 0.01


def results_of(answer: WaitSetResult) -> list[Result]:
    return [ready.result for ready in answer.ready]


def test_an_empty_set_returns_at_once() -> None:
    # System rules §11: no handles, no events -> n = 0.
    assert WaitSet().wait() == (None, [])


def test_a_ready_handle_is_reported(pipe: MessagePipe) -> None:
    # Public contract §9: WaitSetResult(event, ready), ReadyHandle(handle, result, state).
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    pipe.handle1.write(b"x")
    answer = waits.wait()
    assert isinstance(answer, WaitSetResult) and answer.event is None
    [ready] = answer.ready
    assert isinstance(ready, ReadyHandle)
    assert ready.handle is pipe.handle0
    assert ready.result is Result.OK and ready.state.readable


def test_an_impossible_handle_is_reported(pipe: MessagePipe) -> None:
    # System rules §11: FAILED_PRECONDITION.
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    pipe.handle1.close()
    assert results_of(waits.wait()) == [Result.FAILED_PRECONDITION]


def test_a_handle_may_be_ready_when_it_is_added(pipe: MessagePipe) -> None:
    # System rules §11.
    pipe.handle1.write(b"x")
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    assert results_of(waits.wait()) == [Result.OK]


@pytest.mark.parametrize("timeout", [0, BLINK])
def test_a_timeout_reports_nothing(pipe: MessagePipe, timeout: float) -> None:
    # Public contract §9: a normal outcome is returned, never raised.
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    waits.add_event(WaitableEvent())
    assert waits.wait(timeout=timeout) == (None, [])


def test_an_unread_handle_is_reported_again(pipe: MessagePipe) -> None:
    # System rules §11: level-triggered across waits.
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    pipe.handle1.write(b"x")
    assert [results_of(waits.wait()) for _ in range(3)] == [[Result.OK]] * 3
    pipe.handle0.read()
    assert waits.wait(timeout=0) == (None, [])


def test_a_write_on_another_thread_ends_the_wait(make_pipe: MakePipe) -> None:
    # System rules §11: blocks until some handle is ready.
    pipes = [make_pipe() for _ in range(20)]
    waits = WaitSet()
    for pipe in pipes:
        waits.add_handle(pipe.handle0, Signals.READABLE)
    waiting = threading.Event()

    def body() -> WaitSetResult:
        waiting.set()
        return waits.wait()

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipes[13].handle1.write(b"x")
        [ready] = future.result(TIMEOUT).ready
    assert ready.handle is pipes[13].handle0


def test_an_event_ends_the_wait(pipe: MessagePipe) -> None:
    # Public contract §9: .event is the event that was signaled.
    waits, event = WaitSet(), WaitableEvent()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    waits.add_event(WaitableEvent())
    waits.add_event(event)
    waiting = threading.Event()

    def body() -> WaitSetResult:
        waiting.set()
        return waits.wait()

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        event.signal()
        answer = future.result(TIMEOUT)
    assert answer.event is event and answer.ready == []


def test_a_manual_event_is_reported_until_it_is_reset() -> None:
    # System rules §11: events are not reset by the set.
    waits, event = WaitSet(), WaitableEvent(signaled=True)
    waits.add_event(event)
    assert [waits.wait().event for _ in range(3)] == [event] * 3
    event.reset()
    assert waits.wait(timeout=0).event is None


def test_an_automatic_event_is_reported_once() -> None:
    # System rules §11: beyond their own reset policy.
    waits, event = WaitSet(), WaitableEvent(manual_reset=False, signaled=True)
    waits.add_event(event)
    assert waits.wait().event is event
    assert waits.wait(timeout=0).event is None


def test_event_and_handles_come_in_one_answer(pipe: MessagePipe) -> None:
    # System rules §11: both reported in one wait.
    waits, event = WaitSet(), WaitableEvent(signaled=True)
    waits.add_event(event)
    waits.add_handle(pipe.handle0, Signals.READABLE)
    pipe.handle1.write(b"x")
    answers = [waits.wait() for _ in range(5)]
    assert any(answer.event is event and len(answer.ready) == 1 for answer in answers)


def test_adding_twice_is_refused(pipe: MessagePipe) -> None:
    # System rules §11: EXISTS.
    waits, event = WaitSet(), WaitableEvent()
    waits.add_handle(pipe.handle0, Signals.READABLE)
    waits.add_event(event)
    with pytest.raises(AlreadyExistsError):
        waits.add_handle(pipe.handle0, Signals.WRITABLE)
    with pytest.raises(AlreadyExistsError):
        waits.add_event(event)


def test_removing_what_is_not_there_is_not_found(pipe: MessagePipe) -> None:
    # System rules §11.
    waits = WaitSet()
    with pytest.raises(NotFoundError):
        waits.remove_handle(pipe.handle0)
    with pytest.raises(NotFoundError):
        waits.remove_event(WaitableEvent())


def test_bad_handles_are_refused(pipe: MessagePipe) -> None:
    # System rules §11, §8.4: closed and unwatchable ones.
    waits = WaitSet()
    pipe.handle0.close()
    with (
        wrap_fd(os.open(os.devnull, os.O_RDONLY)) as platform,
        Watcher(print) as watcher,
    ):
        for handle in (pipe.handle0, platform, watcher):
            with pytest.raises(InvalidArgumentError):
                waits.add_handle(handle, Signals.READABLE)
    assert waits.wait() == (None, [])


@pytest.mark.parametrize("max_ready", [0, -1])
def test_max_ready_below_one_is_invalid(pipe: MessagePipe, max_ready: int) -> None:
    # Public contract §1.
    waits = WaitSet()
    waits.add_handle(pipe.handle0, Signals.WRITABLE)
    with pytest.raises(InvalidArgumentError):
        waits.wait(max_ready)


def test_a_removed_handle_is_not_waited_for(make_pipe: MakePipe) -> None:
    # System rules §11: removing also discards its pending ready entry.
    pipes = [make_pipe() for _ in range(4)]
    waits = WaitSet()
    for pipe in pipes:
        waits.add_handle(pipe.handle0, Signals.READABLE)
        pipe.handle1.write(b"x")
    [first] = waits.wait(max_ready=1).ready
    others = [pipe.handle0 for pipe in pipes if pipe.handle0 is not first.handle]
    for handle in others:
        waits.remove_handle(handle)
    for _ in range(8):
        assert [ready.handle for ready in waits.wait(max_ready=1).ready] == [first.handle]


def test_a_removed_handle_can_be_added_again(pipe: MessagePipe) -> None:
    # System rules §11.
    waits = WaitSet()
    for _ in range(3):
        waits.add_handle(pipe.handle0, Signals.WRITABLE)
        assert results_of(waits.wait()) == [Result.OK]
        waits.remove_handle(pipe.handle0)
    assert waits.wait() == (None, [])


def test_a_removed_event_is_not_waited_for() -> None:
    # System rules §11.
    waits, event = WaitSet(), WaitableEvent(signaled=True)
    waits.add_event(event)
    waits.remove_event(event)
    assert waits.wait() == (None, [])


def test_a_dropped_set_lets_everything_go(pipe: MessagePipe) -> None:
    # Public contract §9: a set has no close; its events and watches go with it.
    event = WaitableEvent()
    alive = weakref.ref(event)
    waits = WaitSet()
    waits.add_event(event)
    waits.add_handle(pipe.handle0, Signals.READABLE)
    del waits, event
    gc.collect()
    assert alive() is None


def test_one_set_is_refilled_while_it_is_used(make_pipe: MakePipe) -> None:
    # System rules §11: a reader that serves whoever is ready until all have closed.
    pipes = [make_pipe() for _ in range(10)]
    waits = WaitSet()
    numbers: dict[Handle, int] = {pipe.handle0: number for number, pipe in enumerate(pipes)}
    for pipe in pipes:
        waits.add_handle(pipe.handle0, Signals.READABLE)

    def write_all() -> None:
        for count in range(50):
            for pipe in pipes:
                pipe.handle1.write(count.to_bytes(1, "big"))
        for pipe in pipes:
            pipe.handle1.close()

    received: dict[int, list[int]] = {number: [] for number in range(10)}
    with ThreadPoolExecutor(1) as executor:
        writing = executor.submit(write_all)
        while (answer := waits.wait(max_ready=4)).ready:
            for ready in answer.ready:
                number = numbers[ready.handle]
                if ready.result is Result.OK:
                    received[number].append(bytes(pipes[number].handle0.read())[0])
                else:
                    waits.remove_handle(ready.handle)
        writing.result(TIMEOUT)
    assert all(values == list(range(50)) for values in received.values())
