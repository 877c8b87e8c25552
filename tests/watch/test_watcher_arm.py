"""Arming: when it succeeds, what it reports, in which order (system rules §9.2)."""

from collections.abc import Callable, Hashable, Iterator

import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    NotFoundError,
    ReadyWatch,
    Result,
    Signals,
    Watcher,
    create_data_pipe,
)

MakePipe = Callable[[], MessagePipe]
Outcome = tuple[Hashable, Result]


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


@pytest.fixture
def watcher(outcomes: list[Outcome]) -> Iterator[Watcher]:
    with Watcher(lambda context, result, state, flags: outcomes.append((context, result))) as made:
        yield made


def watch_readable(watcher: Watcher, make_pipe: MakePipe, count: int) -> list[MessagePipe]:
    """Watches count pipes that are readable all the time; contexts are 0, 1, 2 ..."""
    pipes = [make_pipe() for _ in range(count)]
    for number, pipe in enumerate(pipes):
        pipe.handle1.write(b"ready")
        watcher.watch(pipe.handle0, Signals.READABLE, number)
    return pipes


def test_arming_without_watches_is_not_found(watcher: Watcher) -> None:
    # System rules §9.2.
    with pytest.raises(NotFoundError):
        watcher.arm()


def test_arming_after_the_last_watch_went_is_not_found(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.2: a cancelled watch is no watch.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle0.close()
    with pytest.raises(NotFoundError):
        watcher.arm()


@pytest.mark.parametrize("max_ready", [0, -1, -(2**70)])
def test_max_ready_below_one_is_invalid(
    watcher: Watcher, pipe: MessagePipe, max_ready: int
) -> None:
    # Public contract §1.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    with pytest.raises(InvalidArgumentError):
        watcher.arm(max_ready)


def test_a_huge_max_ready_is_not_allocated(watcher: Watcher, make_pipe: MakePipe) -> None:
    # Public contract §7: max_ready limits the answer, and the answer is two entries long.
    watch_readable(watcher, make_pipe, 2)
    assert len(watcher.arm(2**31 - 1)) == 2


def test_arming_with_nothing_ready_succeeds(watcher: Watcher, pipe: MessagePipe) -> None:
    # Public contract §7: [] = armed.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    assert watcher.arm() == []


def test_arming_an_armed_watcher_succeeds(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.2: arming an armed watcher is OK, and still means one notification.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    assert watcher.arm() == []
    assert watcher.arm() == []
    pipe.handle1.write(b"x")
    pipe.handle1.write(b"y")
    assert outcomes == [("in", Result.OK)]


def test_arming_with_something_ready_reports_it(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.2: context, the result the callback would have got, last known state.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle1.write(b"x")
    [ready] = watcher.arm()
    assert isinstance(ready, ReadyWatch)
    assert (ready.context, ready.result) == ("in", Result.OK)
    assert ready.state == pipe.handle0.query_signals_state()


def test_arming_with_something_ready_does_not_arm(
    watcher: Watcher, pipe: MessagePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.2: stays disarmed; nothing is called back for what was found.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle1.write(b"x")
    assert watcher.arm() != []
    pipe.handle0.read()
    pipe.handle1.write(b"y")
    assert outcomes == []


def test_an_impossible_watch_is_reported_as_failed_precondition(
    watcher: Watcher, pipe: MessagePipe
) -> None:
    # System rules §9.2: results are OK or FAILED_PRECONDITION.
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    pipe.handle1.close()
    [ready] = watcher.arm()
    assert (ready.context, ready.result) == ("in", Result.FAILED_PRECONDITION)
    assert ready.state.never_readable


def test_watching_no_signals_can_never_be_satisfied(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.1: signals NONE is permanently unsatisfiable.
    watcher.watch(pipe.handle0, Signals.NONE, "none")
    [ready] = watcher.arm()
    assert (ready.context, ready.result) == ("none", Result.FAILED_PRECONDITION)


def test_any_of_the_watched_signals_is_enough(watcher: Watcher, pipe: MessagePipe) -> None:
    # System rules §9.1: SATISFIED means any.
    watcher.watch(pipe.handle0, Signals.READABLE | Signals.WRITABLE, "either")
    [ready] = watcher.arm()
    assert ready.result == Result.OK


def test_one_signal_that_can_still_come_keeps_the_watch_possible(
    watcher: Watcher, pipe: MessagePipe
) -> None:
    # System rules §9.1: FAILED_PRECONDITION only when none of them can ever be.
    watcher.watch(pipe.handle0, Signals.READABLE | Signals.NEW_DATA_READABLE, "either")
    assert watcher.arm() == []


def test_only_ready_watches_are_reported(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.2: not-ready watches never appear.
    pipes = [make_pipe() for _ in range(10)]
    for number, pipe in enumerate(pipes):
        watcher.watch(pipe.handle0, Signals.READABLE, number)
    for number in (2, 3, 7):
        pipes[number].handle1.write(b"x")
    assert sorted(ready.context for ready in watcher.arm()) == [2, 3, 7]


def test_a_watch_is_reported_once_in_one_list(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.2: min(max_ready, ready count) entries, all different.
    watch_readable(watcher, make_pipe, 5)
    ready = watcher.arm(16)
    assert len(ready) == len({entry.context for entry in ready}) == 5


def test_max_ready_limits_the_list(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.2; 16 is the default.
    watch_readable(watcher, make_pipe, 20)
    assert [len(watcher.arm(limit)) for limit in (1, 7, 19, 20, 99)] == [1, 7, 19, 20, 20]
    assert len(watcher.arm()) == 16


def test_with_one_slot_all_of_200_ready_handles_are_reported(
    watcher: Watcher, make_pipe: MakePipe
) -> None:
    # System rules §9.2, fairness: round-robin goes on after the last one reported.
    watch_readable(watcher, make_pipe, 200)
    reported = [watcher.arm(1)[0].context for _ in range(200)]
    assert set(reported) == set(range(200))


def test_with_seven_slots_nobody_is_reported_twice_before_all_were(
    watcher: Watcher, make_pipe: MakePipe
) -> None:
    # System rules §9.2, fairness with lists that do not divide the number of watches.
    watch_readable(watcher, make_pipe, 200)
    reported: list[Hashable] = []
    while len(reported) < 200:
        reported += [entry.context for entry in watcher.arm(7)]
    assert len(set(reported[:200])) == 200


def test_fairness_survives_changes_of_the_watch_list(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.2: cancelling the one reported last does not start the round again.
    watch_readable(watcher, make_pipe, 50)
    reported: set[Hashable] = set()
    for _ in range(50):
        [entry] = watcher.arm(1)
        assert entry.context not in reported
        reported.add(entry.context)
        watcher.cancel(entry.context)
    assert reported == set(range(50))


def test_what_was_read_is_no_longer_ready(watcher: Watcher, make_pipe: MakePipe) -> None:
    # System rules §9.2: the list is about the state now.
    pipes = watch_readable(watcher, make_pipe, 3)
    for pipe in pipes[:2]:
        pipe.handle0.read()
    assert [entry.context for entry in watcher.arm()] == [2]
    pipes[2].handle0.read()
    assert watcher.arm() == []


def test_new_data_is_ready_until_it_was_looked_at(watcher: Watcher) -> None:
    # System rules §8.3: any read, a peek too, clears NEW_DATA_READABLE; the bytes stay.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        watcher.watch(consumer, Signals.NEW_DATA_READABLE, "new")
        producer.write(b"abc")
        assert [entry.result for entry in watcher.arm()] == [Result.OK]
        assert consumer.read(peek=True) == b"abc"
        assert watcher.arm() == []
        assert consumer.query_signals_state().readable


def test_new_data_that_can_never_come_again_is_impossible(watcher: Watcher) -> None:
    # System rules §8.3: a watch on it alone can fail while bytes remain.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        producer.write(b"abc")
        producer.close()
        watcher.watch(consumer, Signals.NEW_DATA_READABLE, "new")
        assert consumer.read(peek=True) == b"abc"
        [ready] = watcher.arm()
        assert ready.result == Result.FAILED_PRECONDITION
        assert consumer.query_signals_state().readable


def test_a_producer_in_two_phase_write_is_not_ready(
    watcher: Watcher, outcomes: list[Outcome]
) -> None:
    # System rules §8.2: while open, WRITABLE is unsatisfied but satisfiable.
    producer, consumer = create_data_pipe(16)
    with producer, consumer:
        watcher.watch(producer, Signals.WRITABLE, "out")
        with producer.begin_write():
            assert watcher.arm() == []
        assert outcomes == [("out", Result.OK)]


def test_watching_something_ready_on_an_armed_watcher_fires_at_once(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1: fires after the call's work is done, and disarms.
    quiet, ready = make_pipe(), make_pipe()
    watcher.watch(quiet.handle0, Signals.READABLE, "quiet")
    watcher.arm()
    ready.handle1.write(b"x")
    watcher.watch(ready.handle0, Signals.READABLE, "ready")
    assert outcomes == [("ready", Result.OK)]
    quiet.handle1.write(b"x")
    assert outcomes == [("ready", Result.OK)]


def test_watching_something_impossible_on_an_armed_watcher_fires_at_once(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1.
    quiet, dead = make_pipe(), make_pipe()
    watcher.watch(quiet.handle0, Signals.READABLE, "quiet")
    watcher.arm()
    dead.handle1.close()
    watcher.watch(dead.handle0, Signals.READABLE, "dead")
    assert outcomes == [("dead", Result.FAILED_PRECONDITION)]


def test_watching_something_quiet_leaves_the_watcher_armed(
    watcher: Watcher, make_pipe: MakePipe, outcomes: list[Outcome]
) -> None:
    # System rules §9.1: the new watch is covered by the arming that was there.
    first, second = make_pipe(), make_pipe()
    watcher.watch(first.handle0, Signals.READABLE, "first")
    watcher.arm()
    watcher.watch(second.handle0, Signals.READABLE, "second")
    second.handle1.write(b"x")
    assert outcomes == [("second", Result.OK)]
