"""Watchers and threads: blocking cancels, no deadlocks, races with close (system rules §9.5)."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

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
    create_message_pipe,
)

MakePipe = Callable[[], MessagePipe]
TIMEOUT = 30.0
GRACE = 0.2  # what a call that must block is given to return wrongly


@pytest.mark.parametrize("how", ["cancel", "close handle", "close watcher"])
def test_cancelling_blocks_for_the_running_callback(pipe: MessagePipe, how: str) -> None:
    # System rules §9.5: blocks until it returns, then delivers CANCELLED on the cancelling thread.
    order: list[tuple[str, int]] = []
    started, cancelled = threading.Event(), threading.Event()

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result == Result.OK:
            started.set()
            assert not cancelled.wait(GRACE), "the cancelling call did not wait"
        order.append((result.name, threading.get_ident()))

    watcher = Watcher(callback)
    watcher.watch(pipe.handle0, Signals.READABLE, "in")
    watcher.arm()
    with ThreadPoolExecutor(1) as executor:
        writing = executor.submit(pipe.handle1.write, b"x")
        assert started.wait(TIMEOUT)
        if how == "cancel":
            watcher.cancel("in")
        elif how == "close handle":
            pipe.handle0.close()
        else:
            watcher.close()
        order.append(("returned", threading.get_ident()))
        cancelled.set()
        writing.result(TIMEOUT)
    me = threading.get_ident()
    assert [what for what, thread in order] == ["OK", "CANCELLED", "returned"]
    assert order[0][1] != me
    assert order[1][1] == me
    watcher.close()


def test_a_blocked_cancel_waits_only_for_its_own_context(make_pipe: MakePipe) -> None:
    # System rules §9.5: cancel waits for that context's callback, not for the watcher's others.
    first, second = make_pipe(), make_pipe()
    started, finish = threading.Event(), threading.Event()

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result == Result.OK:
            started.set()
            assert finish.wait(TIMEOUT)

    with ThreadPoolExecutor(1) as executor, Watcher(callback) as watcher:
        watcher.watch(first.handle0, Signals.READABLE, "first")
        watcher.watch(second.handle0, Signals.READABLE, "second")
        watcher.arm()
        writing = executor.submit(first.handle1.write, b"x")
        assert started.wait(TIMEOUT)
        watcher.cancel("second")
        finish.set()
        writing.result(TIMEOUT)


def test_different_contexts_run_at_the_same_time(make_pipe: MakePipe) -> None:
    # System rules §9.3: different contexts of one watcher may run on different threads at once.
    pipes = [make_pipe(), make_pipe()]
    both = threading.Barrier(2)
    ready = threading.Event()

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result == Result.OK:
            if context == 0:
                pipes[0].handle0.read()
                assert watcher.arm() == []
                ready.set()
            both.wait(TIMEOUT)

    with ThreadPoolExecutor(2) as executor, Watcher(callback) as watcher:
        for number, pipe in enumerate(pipes):
            watcher.watch(pipe.handle0, Signals.READABLE, number)
        watcher.arm()
        first = executor.submit(pipes[0].handle1.write, b"x")
        assert ready.wait(TIMEOUT)
        second = executor.submit(pipes[1].handle1.write, b"x")
        first.result(TIMEOUT)
        second.result(TIMEOUT)
        assert not both.broken


def test_one_context_never_runs_twice_at_once(pipe: MessagePipe) -> None:
    # System rules §9.3: invocations of one (watcher, context) are mutually exclusive.
    running = threading.Lock()
    overlaps: list[Result] = []
    rounds = 400

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if not running.acquire(blocking=False):
            overlaps.append(result)
            return
        if result == Result.OK:
            pipe.handle0.read_batch()
            watcher.arm()
        running.release()

    with ThreadPoolExecutor(4) as executor, Watcher(callback) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()
        writes = [executor.submit(pipe.handle1.write, b"x") for _ in range(rounds)]
        for write in writes:
            write.result(TIMEOUT)
    assert overlaps == []


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_callbacks_that_cancel_each_other_do_not_deadlock(make_pipe: MakePipe, how: str) -> None:
    # System rules §9.5: two handlers on two threads cancel each other's watches and watchers.
    for _ in range(50):
        both = threading.Barrier(2)
        pipes = [make_pipe(), make_pipe()]
        seen: list[list[Result]] = [[], []]
        watchers: list[Watcher] = []

        def callback(
            context: Hashable,
            result: Result,
            state: SignalsState,
            flags: NotificationFlags,
            both: threading.Barrier = both,
            seen: list[list[Result]] = seen,
            watchers: list[Watcher] = watchers,
        ) -> None:
            assert isinstance(context, int)
            seen[context].append(result)
            if result == Result.OK:
                both.wait(TIMEOUT)
                other = watchers[1 - context]
                if how == "cancel":
                    other.cancel(1 - context)
                other.close()

        watchers += [Watcher(callback), Watcher(callback)]
        for number, watcher in enumerate(watchers):
            watcher.watch(pipes[number].handle0, Signals.READABLE, number)
            watcher.arm()
        with ThreadPoolExecutor(2) as executor:
            writes = [executor.submit(pipe.handle1.write, b"x") for pipe in pipes]
            for write in writes:
                write.result(TIMEOUT)
        assert seen == [[Result.OK, Result.CANCELLED]] * 2


def test_no_ok_after_cancelled_when_dispatch_and_cancel_race(make_pipe: MakePipe) -> None:
    # System rules §9.5: no event after CANCELLED even under dispatch races.
    for _ in range(200):
        pipe = make_pipe()
        seen: list[Result] = []
        start = threading.Barrier(2)
        watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        watcher.arm()

        def write(pipe: MessagePipe = pipe, start: threading.Barrier = start) -> None:
            start.wait(TIMEOUT)
            pipe.handle1.write(b"x")

        with ThreadPoolExecutor(1) as executor:
            writing = executor.submit(write)
            start.wait(TIMEOUT)
            watcher.cancel("in")
            writing.result(TIMEOUT)
        assert seen in ([Result.CANCELLED], [Result.OK, Result.CANCELLED])
        watcher.close()


def test_trigger_during_destruction() -> None:
    # System rules §9.5: a write that races with closing the watcher, a thousand times.
    with ThreadPoolExecutor(1) as executor:
        for _ in range(1000):
            pipe = create_message_pipe()
            seen: list[Result] = []
            watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
            watcher.watch(pipe.handle0, Signals.READABLE, "in")
            watcher.arm()
            writing = executor.submit(pipe.handle1.write, b"x")
            watcher.close()
            writing.result(TIMEOUT)
            pipe.handle0.close()
            pipe.handle1.close()
            assert seen in ([Result.CANCELLED], [Result.OK, Result.CANCELLED])


@pytest.mark.parametrize("other_end", ["cancel", "close handle"])
def test_cancellation_is_delivered_once_when_two_threads_cause_it(other_end: str) -> None:
    # System rules §9.5: close(watcher) racing with cancel and close(handle): still once.
    with ThreadPoolExecutor(1) as executor:
        for _ in range(300):
            pipe = create_message_pipe()
            seen: list[Result] = []
            watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
            watcher.watch(pipe.handle0, Signals.READABLE, "in")
            start = threading.Barrier(2)

            def end(
                pipe: MessagePipe = pipe,
                watcher: Watcher = watcher,
                start: threading.Barrier = start,
            ) -> None:
                start.wait(TIMEOUT)
                if other_end == "close handle":
                    pipe.handle0.close()
                    return
                try:
                    watcher.cancel("in")
                except (NotFoundError, InvalidArgumentError):
                    return  # the watcher was closed first

            ending = executor.submit(end)
            start.wait(TIMEOUT)
            watcher.close()
            ending.result(TIMEOUT)
            assert seen == [Result.CANCELLED]
            pipe.handle0.close()
            pipe.handle1.close()


def test_watching_races_with_closing_the_handle() -> None:
    # System rules §9.5, §2: either the watch was refused, or it got its one CANCELLED.
    with ThreadPoolExecutor(1) as executor:
        for _ in range(500):
            pipe = create_message_pipe()
            seen: list[Result] = []
            watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
            closing = executor.submit(pipe.handle0.close)
            accepted = True
            try:
                watcher.watch(pipe.handle0, Signals.READABLE, "in")
            except InvalidArgumentError:
                accepted = False
            closing.result(TIMEOUT)
            assert seen == ([Result.CANCELLED] if accepted else [])
            watcher.close()
            assert seen == ([Result.CANCELLED] if accepted else [])
            pipe.handle1.close()


def test_arming_races_with_events_without_losing_one(pipe: MessagePipe) -> None:
    # System rules §9.2, §9.3: an event comes either as a notification or in the next ready list.
    total = 3000
    more = threading.Semaphore(0)

    def write_all() -> None:
        for _ in range(total):
            pipe.handle1.write(b"x")

    with (
        ThreadPoolExecutor(1) as executor,
        Watcher(lambda *notification: more.release()) as watcher,
    ):
        watcher.watch(pipe.handle0, Signals.READABLE, "in")
        writing = executor.submit(write_all)
        received = 0
        while received < total:
            if watcher.arm() == []:
                assert more.acquire(timeout=TIMEOUT), "a message came and nobody was told"
            received += len(pipe.handle0.read_batch())
        writing.result(TIMEOUT)
        assert received == total
