"""What callbacks may do: everything; its effects come after they returned (system rules §9.4)."""

from collections.abc import Callable, Hashable

import pytest

from mojo_seq import (
    MessagePipe,
    NotFoundError,
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
)

MakePipe = Callable[[], MessagePipe]
Outcome = tuple[Hashable, Result]


class Scripted:
    """A watcher whose callback runs one script for the first OK notification, and records all.

    The record has an entry when a callback starts and one when it ends, so that a callback that
    ran inside another one would show.
    """

    def __init__(self, script: Callable[[], object], *, on: Hashable = "a") -> None:
        self.script: Callable[[], object] | None = script
        self.on = on
        self.depth = 0
        self.outcomes: list[Outcome] = []
        self.watcher = Watcher(self)

    def __call__(
        self, context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        assert self.depth == 0, "a callback ran inside another one"
        self.depth += 1
        self.outcomes.append((context, result))
        if context == self.on and result == Result.OK and self.script is not None:
            script, self.script = self.script, None
            script()
        self.depth -= 1

    def fire(self, pipe: MessagePipe) -> None:
        """Watches handle0 as "a", arms, and makes it readable."""
        self.watcher.watch(pipe.handle0, Signals.READABLE, "a")
        assert self.watcher.arm() == []
        pipe.handle1.write(b"go")
        assert self.script is None, "the script did not run"


def test_a_callback_may_read_and_arm(pipe: MessagePipe) -> None:
    # System rules §9.4: Arm and Read are legal.
    def script() -> None:
        assert bytes(pipe.handle0.read()) == b"go"
        assert scripted.watcher.arm() == []

    scripted = Scripted(script)
    scripted.fire(pipe)
    pipe.handle1.write(b"again")
    assert scripted.outcomes == [("a", Result.OK)] * 2
    scripted.watcher.close()


def test_arming_in_a_callback_that_did_not_read_reports_its_own_watch(pipe: MessagePipe) -> None:
    # System rules §9.2, §9.4.
    def script() -> None:
        [ready] = scripted.watcher.arm()
        assert (ready.context, ready.result) == ("a", Result.OK)

    scripted = Scripted(script)
    scripted.fire(pipe)
    scripted.watcher.close()


def test_a_callback_may_watch_another_handle(make_pipe: MakePipe) -> None:
    # System rules §9.4: Watch is legal.
    first, second = make_pipe(), make_pipe()

    def script() -> None:
        first.handle0.read()
        scripted.watcher.watch(second.handle0, Signals.READABLE, "b")
        assert scripted.watcher.arm() == []

    scripted = Scripted(script)
    scripted.fire(first)
    second.handle1.write(b"x")
    assert scripted.outcomes == [("a", Result.OK), ("b", Result.OK)]
    scripted.watcher.close()


def test_a_write_to_a_rearmed_handle_runs_the_callback_after_it_returned(pipe: MessagePipe) -> None:
    # System rules §9.4: a loop of ten works, without recursion.
    depths: list[int] = []
    depth = 0

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        nonlocal depth
        depth += 1
        depths.append(depth)
        if result == Result.OK and len(depths) < 10:
            pipe.handle0.read()
            assert watcher.arm() == []
            pipe.handle1.write(b"next")
        depth -= 1

    with Watcher(callback) as watcher:
        watcher.watch(pipe.handle0, Signals.READABLE, "a")
        watcher.arm()
        pipe.handle1.write(b"first")
        assert depths == [1] * 10


def test_write_then_close_in_a_callback_gives_one_cancelled_and_no_ok(make_pipe: MakePipe) -> None:
    # System rules §9.4: the pending OK is dropped, and arming finds the watch gone already.
    first, second = make_pipe(), make_pipe()

    def script() -> None:
        first.handle0.read()
        assert scripted.watcher.arm() == []
        second.handle1.write(b"x")
        second.handle0.close()
        assert scripted.watcher.arm() == []

    scripted = Scripted(script)
    scripted.watcher.watch(second.handle0, Signals.READABLE, "b")
    scripted.fire(first)
    assert scripted.outcomes == [("a", Result.OK), ("b", Result.CANCELLED)]
    scripted.watcher.close()


def test_cancelling_oneself_in_a_callback(pipe: MessagePipe) -> None:
    # System rules §9.4: OK; arming then is NOT_FOUND; closing the handle gives nothing more.
    def script() -> None:
        scripted.watcher.cancel("a")
        with pytest.raises(NotFoundError):
            scripted.watcher.arm()
        assert scripted.outcomes == [("a", Result.OK)]

    scripted = Scripted(script)
    scripted.fire(pipe)
    pipe.handle0.close()
    assert scripted.outcomes == [("a", Result.OK), ("a", Result.CANCELLED)]
    scripted.watcher.close()
    assert len(scripted.outcomes) == 2


def test_cancelling_another_watch_in_a_callback(make_pipe: MakePipe) -> None:
    # System rules §9.4, §9.1: its CANCELLED comes after the enclosing callback returned.
    first, second = make_pipe(), make_pipe()

    def script() -> None:
        scripted.watcher.cancel("b")
        assert scripted.outcomes == [("a", Result.OK)]
        with pytest.raises(NotFoundError):
            scripted.watcher.cancel("b")

    scripted = Scripted(script)
    scripted.watcher.watch(second.handle0, Signals.READABLE, "b")
    scripted.fire(first)
    assert scripted.outcomes == [("a", Result.OK), ("b", Result.CANCELLED)]
    scripted.watcher.close()


def test_a_context_cancelled_in_a_callback_is_free_at_once(make_pipe: MakePipe) -> None:
    # System rules §9.1, §9.4: the new watch of that name is another watch.
    first, second = make_pipe(), make_pipe()

    def script() -> None:
        scripted.watcher.cancel("a")
        scripted.watcher.watch(second.handle0, Signals.READABLE, "a")
        assert scripted.watcher.arm() == []

    scripted = Scripted(script)
    scripted.fire(first)
    assert scripted.outcomes == [("a", Result.OK), ("a", Result.CANCELLED)]
    second.handle1.write(b"x")
    assert scripted.outcomes[2:] == [("a", Result.OK)]
    scripted.watcher.close()
    assert scripted.outcomes[3:] == [("a", Result.CANCELLED)]


def test_closing_the_own_watcher_in_a_callback(make_pipe: MakePipe) -> None:
    # System rules §9.4: later writes and closes give nothing but one CANCELLED per watch.
    first, second = make_pipe(), make_pipe()

    def script() -> None:
        scripted.watcher.close()
        assert not scripted.watcher.is_valid
        second.handle1.write(b"x")
        second.handle0.close()
        first.handle0.close()

    scripted = Scripted(script)
    scripted.watcher.watch(second.handle0, Signals.READABLE, "b")
    scripted.fire(first)
    assert scripted.outcomes[0] == ("a", Result.OK)
    cancelled = sorted(scripted.outcomes[1:], key=str)
    assert cancelled == [("a", Result.CANCELLED), ("b", Result.CANCELLED)]


def test_closing_handle_and_watcher_in_a_callback_gives_one_cancelled(pipe: MessagePipe) -> None:
    # System rules §9.4.
    def script() -> None:
        pipe.handle0.close()
        scripted.watcher.close()

    scripted = Scripted(script)
    scripted.fire(pipe)
    assert scripted.outcomes == [("a", Result.OK), ("a", Result.CANCELLED)]


def test_closing_the_peer_in_a_callback_notifies_after_it(pipe: MessagePipe) -> None:
    # System rules §9.4: Close of anything is legal; the effect comes after the return.
    def script() -> None:
        pipe.handle0.read()
        assert scripted.watcher.arm() == []
        pipe.handle1.close()
        assert scripted.outcomes == [("a", Result.OK)]

    scripted = Scripted(script)
    scripted.fire(pipe)
    assert scripted.outcomes == [("a", Result.OK), ("a", Result.FAILED_PRECONDITION)]
    scripted.watcher.close()


def test_another_watcher_is_notified_after_the_callback_too(make_pipe: MakePipe) -> None:
    # System rules §9.3: never inside another callback's frame, whosever it is.
    first, second = make_pipe(), make_pipe()
    order: list[str] = []

    def script() -> None:
        order.append("outer starts")
        second.handle1.write(b"x")
        order.append("outer ends")

    scripted = Scripted(script)
    with Watcher(lambda *notification: order.append("inner")) as other:
        other.watch(second.handle0, Signals.READABLE, "other")
        other.arm()
        scripted.fire(first)
        assert order == ["outer starts", "outer ends", "inner"]
    scripted.watcher.close()


def test_cancelled_queued_in_a_callback_comes_before_ok_queued_in_it(make_pipe: MakePipe) -> None:
    # System rules §9.3: one outermost call, so all its CANCELLED come first.
    first, second, third = make_pipe(), make_pipe(), make_pipe()

    def script() -> None:
        first.handle0.read()
        assert scripted.watcher.arm() == []
        second.handle1.write(b"x")
        scripted.watcher.cancel("c")

    scripted = Scripted(script)
    scripted.watcher.watch(second.handle0, Signals.READABLE, "b")
    scripted.watcher.watch(third.handle0, Signals.READABLE, "c")
    scripted.fire(first)
    assert scripted.outcomes == [("a", Result.OK), ("c", Result.CANCELLED), ("b", Result.OK)]
    scripted.watcher.close()


def test_a_new_watcher_can_be_made_and_used_up_in_a_callback(make_pipe: MakePipe) -> None:
    # System rules §9.4: nothing about the callback's frame is special for other objects.
    first, second = make_pipe(), make_pipe()
    inner: list[Result] = []

    def script() -> None:
        watcher = Watcher(lambda context, result, state, flags: inner.append(result))
        watcher.watch(second.handle0, Signals.READABLE, "inner")
        watcher.arm()
        second.handle1.write(b"x")
        watcher.close()
        assert inner == []

    scripted = Scripted(script)
    scripted.fire(first)
    assert inner == [Result.CANCELLED]
    scripted.watcher.close()
