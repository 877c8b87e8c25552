"""When notifications come, how often, where and in which order (system rules §9.3)."""

import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    MessagePipe,
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
    create_data_pipe,
)

MakePipe = Callable[[], MessagePipe]
Outcome = tuple[Hashable, Result]
TIMEOUT = 30.0


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


@pytest.fixture
def watcher(outcomes: list[Outcome]) -> Iterator[Watcher]:
    with Watcher(lambda context, result, state, flags: outcomes.append((context, result))) as made:
        yield made


def test_one_arming_gives_one_notification(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: disarmed before dispatch; later events are only recorded.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    for _ in range(3):
        pipe.handle1.write(b"x")
    assert outcomes == [("in", Result.OK)]


def test_an_event_while_disarmed_makes_the_next_arming_fail(
    watcher: Watcher, pipe: MessagePipe
) -> None:
    # System rules §9.3.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    pipe.handle1.write(b"x")
    assert [(entry.context, entry.result) for entry in watcher.arm()] == [("in", Result.OK)]


def test_rearming_after_reading_gives_another_notification(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: one per successful arm.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    for _ in range(5):
        assert watcher.arm() == []
        pipe.handle1.write(b"x")
        pipe.handle0.read()
    assert outcomes == [("in", Result.OK)] * 5


def test_an_event_on_one_handle_disarms_for_all(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: arming is the watcher's, not the watch's.
    first, second = make_pipe(), make_pipe()
    watcher.watch(first.handle0, Signals.READABLE, "first")
    watcher.watch(second.handle0, Signals.READABLE, "second")
    watcher.arm()
    second.handle1.write(b"x")
    first.handle1.write(b"x")
    assert outcomes == [("second", Result.OK)]


def test_each_watcher_of_a_handle_is_notified(make_pipe: MakePipe) -> None:
    # System rules §9.1: one handle may be watched by many watchers.
    pipe = make_pipe()
    seen: list[Hashable] = []
    watchers = [Watcher(lambda context, *rest: seen.append(context)) for _ in range(5)]
    for number, watcher in enumerate(watchers):
        watcher.watch(pipe.handle0, Signals.READABLE, number)
        watcher.arm()
    pipe.handle1.write(b"x")
    assert sorted(seen, key=str) == [0, 1, 2, 3, 4]
    for watcher in watchers:
        watcher.close()


def test_a_change_that_does_not_touch_the_watched_signals_is_silent(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: only if the watch's verdict changed.
    watcher.watch(pipe.handle0, Signals.PEER_CLOSED, "end")
    watcher.arm()
    pipe.handle1.write(b"x")
    pipe.handle0.read()
    assert outcomes == []
    pipe.handle1.close()
    assert outcomes == [("end", Result.OK)]


def test_a_signal_that_can_no_longer_come_is_failed_precondition(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3, §8.1.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    pipe.handle1.close()
    assert outcomes == [("in", Result.FAILED_PRECONDITION)]


def test_closure_with_messages_queued_is_not_yet_failure(
    watcher: Watcher, pipe: MessagePipe
) -> None:
    # System rules §8.1: readable until drained, then never again.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle1.write(b"x")
    pipe.handle1.close()
    assert [entry.result for entry in watcher.arm()] == [Result.OK]
    pipe.handle0.read()
    assert [entry.result for entry in watcher.arm()] == [Result.FAILED_PRECONDITION]


def test_reading_the_last_bytes_can_notify_the_reader_itself(
    watcher: Watcher, outcomes: list[Outcome]
) -> None:
    # System rules §4.3, §8.3: a read that makes a watched signal impossible notifies.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        producer.write(b"abc")
        producer.close()
        window = consumer.begin_read()
        watcher.watch(consumer, Signals.READABLE, "in")
        assert watcher.arm() == []
        window.consume(3)
        assert outcomes == [("in", Result.FAILED_PRECONDITION)]


def test_the_state_given_is_that_of_the_event(pipe: MessagePipe) -> None:
    # System rules §9.3: the state at the time, though it may have changed since.
    states: list[SignalsState] = []
    with Watcher(lambda context, result, state, flags: states.append(state)) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()
        pipe.handle1.write(b"x")
        pipe.handle0.read()
        [state] = states
        assert state.readable and state.writable and not state.peer_closed
        assert not pipe.handle0.query_signals_state().readable


def test_notifications_run_before_the_call_returns_on_its_thread(pipe: MessagePipe) -> None:
    # System rules §9.3: on whatever thread made the change, at the end of the call.
    threads: list[int] = []
    with Watcher(lambda *notification: threads.append(threading.get_ident())) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()

        def write() -> tuple[int, list[int]]:
            pipe.handle1.write(b"x")
            return threading.get_ident(), list(threads)

        with ThreadPoolExecutor(1) as executor:
            writer, seen_on_return = executor.submit(write).result(TIMEOUT)
        assert seen_on_return == [writer] != [threading.get_ident()]


def test_no_lock_is_held_while_a_callback_runs(pipe: MessagePipe) -> None:
    # System rules §9.3: another thread can use the handles and the watcher meanwhile.
    worked: list[bool] = []

    def use_everything(busy: Watcher) -> bool:
        pipe.handle0.query_signals_state()
        pipe.handle1.write(b"y")
        return len(busy.arm()) == 1

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result == Result.OK:
            worked.append(executor.submit(use_everything, busy).result(TIMEOUT))

    with ThreadPoolExecutor(1) as executor, Watcher(callback) as busy:
        busy.watch(pipe.handle0, Signals.READABLE, "in")
        busy.arm()
        pipe.handle1.write(b"x")
        assert worked == [True]


def test_cancellation_does_not_disarm(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: at most one *non-cancel* notification per arming.
    first, second = make_pipe(), make_pipe()
    watcher.watch(first.handle0, Signals.READABLE, "first")
    watcher.watch(second.handle0, Signals.READABLE, "second")
    watcher.arm()
    first.handle0.close()
    second.handle1.write(b"x")
    assert outcomes == [("first", Result.CANCELLED), ("second", Result.OK)]


def test_cancelled_comes_before_everything_else_of_the_same_call(pipe: MessagePipe) -> None:
    # System rules §9.3: closing one end cancels its watch and notifies the other end's.
    order: list[Outcome] = []

    def record(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        order.append((context, result))

    with Watcher(record) as peers, Watcher(record) as own:
        peers.watch(pipe.handle1, Signals.PEER_CLOSED, "peer")
        own.watch(pipe.handle0, Signals.READABLE, "own")
        peers.arm()
        pipe.handle0.close()
        assert order == [("own", Result.CANCELLED), ("peer", Result.OK)]


def test_nothing_comes_after_cancelled(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.3: CANCELLED is always last.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    watcher.cancel("in")
    pipe.handle1.write(b"x")
    pipe.handle1.close()
    pipe.handle0.close()
    assert outcomes == [("in", Result.CANCELLED)]


def test_in_one_process_no_notification_is_from_the_system(pipe: MessagePipe) -> None:
    # System rules §9.3: FROM_SYSTEM only for changes that came over IPC.
    seen: list[NotificationFlags] = []
    with Watcher(lambda context, result, state, flags: seen.append(flags)) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()
        pipe.handle1.write(b"x")
    assert seen == [NotificationFlags.NONE, NotificationFlags.NONE]
    assert [(flag.name, flag.value) for flag in NotificationFlags] == [("FROM_SYSTEM", 1)]


def test_callback_arguments_have_the_promised_types(pipe: MessagePipe) -> None:
    # Public contract §7: Callable[[Hashable, Result, SignalsState, NotificationFlags], None].
    seen: list[tuple[object, ...]] = []
    with Watcher(lambda *notification: seen.append(notification)) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, pipe)
        watcher.arm()
        pipe.handle1.write(b"x")
    for context, result, state, flags in seen:
        assert context is pipe
        assert isinstance(result, Result) and isinstance(state, SignalsState)
        assert isinstance(flags, NotificationFlags)


def test_a_thousand_handles_on_one_watcher(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1: one watcher watches many handles.
    pipes = [make_pipe() for _ in range(1000)]
    for number, pipe in enumerate(pipes):
        watcher.watch(pipe.handle0, Signals.READABLE, number)
    for number, pipe in enumerate(pipes):
        assert watcher.arm() == []
        pipe.handle1.write(b"x")
        pipe.handle0.read()
        assert outcomes[-1] == (number, Result.OK)
    assert len(outcomes) == 1000


def test_a_loop_of_many_rounds_does_not_grow_the_stack(pipe: MessagePipe) -> None:
    # System rules §9.4: notifications are queued, however long the chain is.
    rounds = 0

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        nonlocal rounds
        rounds += 1
        if result == Result.OK and rounds < 20_000:
            pipe.handle0.read()
            looping.arm()
            pipe.handle1.write(b"next")

    with Watcher(callback) as looping:
        looping.watch(pipe.handle0, Signals.READABLE, "a")
        looping.arm()
        pipe.handle1.write(b"first")
        assert rounds == 20_000
