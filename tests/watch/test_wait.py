"""wait: one handle, one answer (public contract §9, system rules §11)."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    Result,
    Signals,
    SignalsState,
    Watcher,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    fuse_message_pipes,
    wait,
    wrap_fd,
)

MakePipe = Callable[[], MessagePipe]
TIMEOUT = 30.0
BLINK = 0.01  # a wait this long is over soon; how long it takes is not looked at


def test_satisfied_returns_at_once(pipe: MessagePipe) -> None:
    # System rules §11: already satisfied -> OK now.
    result, state = wait(pipe.handle0, Signals.WRITABLE)
    assert result is Result.OK and state.writable
    assert state == pipe.handle0.query_signals_state()


def test_any_of_the_signals_is_enough(pipe: MessagePipe) -> None:
    # System rules §11.
    result, _ = wait(pipe.handle0, Signals.READABLE | Signals.WRITABLE)
    assert result is Result.OK


def test_signals_may_be_a_plain_int(pipe: MessagePipe) -> None:
    # Public contract §1.
    assert wait(pipe.handle0, 2)[0] is Result.OK


def test_unsatisfiable_returns_at_once(pipe: MessagePipe) -> None:
    # System rules §11: can never happen -> FAILED_PRECONDITION, returned and not raised.
    pipe.handle1.close()
    result, state = wait(pipe.handle0, Signals.WRITABLE)
    assert result is Result.FAILED_PRECONDITION
    assert state.never_writable and state.peer_closed


def test_no_signals_can_never_happen(pipe: MessagePipe) -> None:
    # System rules §11: signals NONE.
    assert wait(pipe.handle0, Signals.NONE)[0] is Result.FAILED_PRECONDITION


def test_a_consumer_is_never_writable() -> None:
    # System rules §8.3: at once, while everything is open.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        assert wait(consumer, Signals.WRITABLE)[0] is Result.FAILED_PRECONDITION
        assert wait(producer, Signals.READABLE)[0] is Result.FAILED_PRECONDITION


@pytest.mark.parametrize("timeout", [0, 0.0, BLINK])
def test_a_timeout_is_an_answer(pipe: MessagePipe, timeout: float) -> None:
    # Public contract §9: DEADLINE_EXCEEDED is returned, with the state.
    result, state = wait(pipe.handle0, Signals.READABLE, timeout)
    assert result is Result.DEADLINE_EXCEEDED
    assert state == pipe.handle0.query_signals_state()


def test_a_zero_timeout_sees_what_is_there(pipe: MessagePipe) -> None:
    # Public contract §9: readiness is looked at before the clock.
    pipe.handle1.write(b"x")
    assert wait(pipe.handle0, Signals.READABLE, timeout=0)[0] is Result.OK
    pipe.handle0.read()
    pipe.handle1.close()
    assert wait(pipe.handle0, Signals.READABLE, timeout=0)[0] is Result.FAILED_PRECONDITION


@pytest.mark.parametrize("timeout", [None, 3600, 1e9])
def test_a_write_on_another_thread_ends_the_wait(pipe: MessagePipe, timeout: float | None) -> None:
    # System rules §11: otherwise block; the GIL is free meanwhile.
    waiting = threading.Event()

    def body() -> tuple[Result, SignalsState]:
        waiting.set()
        return wait(pipe.handle0, Signals.READABLE, timeout)

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipe.handle1.write(b"x")
        result, state = future.result(TIMEOUT)
    assert result is Result.OK and state.readable


def test_the_peers_closure_ends_the_wait(pipe: MessagePipe) -> None:
    # System rules §11: becoming impossible ends it with FAILED_PRECONDITION.
    waiting = threading.Event()

    def body() -> Result:
        waiting.set()
        return wait(pipe.handle0, Signals.READABLE)[0]

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(body)
        assert waiting.wait(TIMEOUT)
        pipe.handle1.close()
        assert future.result(TIMEOUT) is Result.FAILED_PRECONDITION


@pytest.mark.parametrize("how", ["close", "send", "fuse"])
def test_losing_the_handle_cancels_the_wait(make_pipe: MakePipe, how: str) -> None:
    # System rules §11, §9.3: closed (or sent, or fused) by another thread -> CANCELLED.
    for _ in range(200):
        pipe, other = make_pipe(), make_pipe()
        waiting = threading.Event()

        def body(pipe: MessagePipe = pipe, waiting: threading.Event = waiting) -> Result:
            waiting.set()
            return wait(pipe.handle0, Signals.READABLE)[0]

        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(body)
            assert waiting.wait(TIMEOUT)
            # Time for the thread to block; when it had not yet, the wait is refused: once more.
            threading.Event().wait(BLINK)
            if how == "close":
                pipe.handle0.close()
            elif how == "send":
                other.handle0.write(b"", [pipe.handle0])
            else:
                fuse_message_pipes(pipe.handle0, other.handle0)
            try:
                assert future.result(TIMEOUT) is Result.CANCELLED
                return
            except InvalidArgumentError:
                continue
    raise AssertionError("the handle always went before the wait began")


def test_the_first_event_counts(pipe: MessagePipe) -> None:
    # System rules §11: OK although the message is gone before the waiter runs again.
    outcomes: set[Result] = set()
    with ThreadPoolExecutor(1) as executor:
        for _ in range(200):
            waiting = threading.Event()

            def body(waiting: threading.Event = waiting) -> Result:
                waiting.set()
                return wait(pipe.handle0, Signals.READABLE, BLINK)[0]

            future = executor.submit(body)
            assert waiting.wait(TIMEOUT)
            pipe.handle1.write(b"x")
            pipe.handle0.read()
            outcomes.add(future.result(TIMEOUT))
    # The message may come and go before the wait begins, but not two hundred times.
    assert Result.OK in outcomes
    assert outcomes <= {Result.OK, Result.DEADLINE_EXCEEDED}


def test_many_threads_wait_for_one_handle(pipe: MessagePipe) -> None:
    # System rules §9.1: one handle may be watched by many.
    all_waiting = threading.Barrier(9)

    def body() -> Result:
        all_waiting.wait(TIMEOUT)
        return wait(pipe.handle0, Signals.READABLE)[0]

    with ThreadPoolExecutor(8) as executor:
        futures = [executor.submit(body) for _ in range(8)]
        all_waiting.wait(TIMEOUT)
        pipe.handle1.write(b"x")
        assert [future.result(TIMEOUT) for future in futures] == [Result.OK] * 8


def test_waiting_takes_nothing(pipe: MessagePipe) -> None:
    # System rules §11: it looks; the message is still there.
    pipe.handle1.write(b"x")
    for _ in range(3):
        assert wait(pipe.handle0, Signals.READABLE)[0] is Result.OK
    assert bytes(pipe.handle0.read()) == b"x"


def test_waiting_does_not_disturb_watchers_of_the_handle(pipe: MessagePipe) -> None:
    # System rules §9.1: a wait is one more watcher, and leaves no watch behind.
    seen: list[Result] = []
    with Watcher(lambda context, result, *rest: seen.append(result)) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()
        assert wait(pipe.handle0, Signals.READABLE, BLINK)[0] is Result.DEADLINE_EXCEEDED
        pipe.handle1.write(b"x")
        assert wait(pipe.handle0, Signals.READABLE)[0] is Result.OK
        assert seen == [Result.OK]


def test_waiting_inside_a_watcher_callback(make_pipe: MakePipe) -> None:
    # System rules §9.4: a callback may use anything; another thread ends its wait.
    first, second = make_pipe(), make_pipe()
    inside = threading.Event()
    seen: list[Result] = []

    def callback(context: object, result: Result, *rest: object) -> None:
        if result is Result.OK:
            inside.set()
            seen.append(wait(second.handle0, Signals.READABLE, TIMEOUT)[0])

    with ThreadPoolExecutor(1) as executor, Watcher(callback) as watcher:
        watcher.watch(first.handle0, Signals.READABLE, "in")
        watcher.arm()
        writing = executor.submit(first.handle1.write, b"x")
        assert inside.wait(TIMEOUT)
        second.handle1.write(b"x")
        writing.result(TIMEOUT)
        assert seen == [Result.OK]


def test_a_closed_handle_is_refused(pipe: MessagePipe) -> None:
    # Public contract §9.
    pipe.handle0.close()
    with pytest.raises(InvalidArgumentError):
        wait(pipe.handle0, Signals.READABLE)


def test_unwatchable_handles_are_refused() -> None:
    # Public contract §9, system rules §8.4.
    with (
        create_shared_buffer(8) as buffer,
        wrap_fd(os.open(os.devnull, os.O_RDONLY)) as platform,
        Watcher(print) as watcher,
    ):
        for handle in (buffer, platform, watcher):
            with pytest.raises(InvalidArgumentError):
                wait(handle, Signals.READABLE, 0)


def test_wrong_types_are_type_errors(pipe: MessagePipe) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        wait("handle", Signals.READABLE)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        wait(pipe.handle0, "readable")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        wait(pipe.handle0, Signals.READABLE, "soon")  # type: ignore[arg-type]


def test_unknown_signal_bits_are_refused(pipe: MessagePipe) -> None:
    # Public contract §1: integers outside their domain.
    with pytest.raises(InvalidArgumentError):
        wait(pipe.handle0, 1 << 20, 0)


def test_ping_pong_between_two_threads() -> None:
    # System rules §11: no wake-up is lost in 2,000 rounds of strict alternation.
    rounds = 2000
    left, right = create_message_pipe()

    def echo() -> None:
        for _ in range(rounds):
            assert wait(right, Signals.READABLE)[0] is Result.OK
            with right.read() as message:
                right.write(message.payload)

    with left, right, ThreadPoolExecutor(1) as executor:
        echoing = executor.submit(echo)
        for number in range(rounds):
            left.write(number.to_bytes(4, "big"))
            assert wait(left, Signals.READABLE)[0] is Result.OK
            assert bytes(left.read()) == number.to_bytes(4, "big")
        echoing.result(TIMEOUT)
