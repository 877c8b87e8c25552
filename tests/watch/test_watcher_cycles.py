"""Reference cycles through callbacks and contexts are collected (public contract §7)."""

import gc
import warnings
import weakref
from collections.abc import Callable, Hashable

import pytest

from mojo_seq import (
    ArmingPolicy,
    MessagePipe,
    NotificationFlags,
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
    Watcher,
    create_message_pipe,
)

# What is collected here is open, and says so; that warning is tested with the handles.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Owner:
    """A user's object that owns a watcher whose callback is one of its methods."""

    def __init__(self, pipe: MessagePipe) -> None:
        self.results: list[Result] = []
        self.pipe = pipe
        self.watcher = Watcher(self.on_signal)
        self.watcher.watch(pipe.handle0, Signals.READABLE, self)

    def on_signal(
        self, context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        self.results.append(result)


def is_collected(make: Callable[[], object]) -> bool:
    """Whether what make() returns goes when only cycles hold it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
        alive = weakref.ref(make())
        gc.collect()
        return alive() is None


def test_a_cycle_through_callback_and_context_is_collected(pipe: MessagePipe) -> None:
    # Owner -> watcher -> bound method -> owner, and watcher -> context -> owner.
    assert is_collected(lambda: Owner(pipe))


def test_a_cycle_through_an_armed_watcher_is_collected(pipe: MessagePipe) -> None:
    # Being armed is the engine's business and keeps no Python object alive.
    def make() -> Owner:
        owner = Owner(pipe)
        assert owner.watcher.arm() == []
        return owner

    assert is_collected(make)


def test_a_cycle_that_owns_its_handles_is_collected() -> None:
    # The watched handle is part of the garbage too.
    def make() -> Owner:
        owner = Owner(create_message_pipe())
        owner.watcher.arm()
        return owner

    assert is_collected(make)


def test_a_collected_watcher_leaves_the_handle_watchable(pipe: MessagePipe) -> None:
    # Its watch is gone with it: the handle is as if never watched.
    is_collected(lambda: Owner(pipe))
    owner = Owner(pipe)
    owner.watcher.arm()
    pipe.handle1.write(b"x")
    assert owner.results == [Result.OK]
    owner.watcher.close()


def test_a_watcher_lives_through_its_own_callback(pipe: MessagePipe) -> None:
    # Public contract §7: the callback drops the last reference; nothing crashes, CANCELLED comes.
    results: list[Result] = []
    holder: list[Watcher] = []

    def callback(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        results.append(result)
        holder.clear()
        gc.collect()

    holder.append(Watcher(callback))
    holder[0].watch(pipe.handle0, Signals.READABLE, "in")
    holder[0].arm()
    pipe.handle1.write(b"x")
    gc.collect()
    assert results == [Result.OK, Result.CANCELLED]


class SimpleOwner:
    """The same with a SimpleWatcher, on a run loop that it owns."""

    def __init__(self, pipe: MessagePipe, policy: ArmingPolicy) -> None:
        self.results: list[Result] = []
        self.loop = RunLoop()
        self.watcher: SimpleWatcher
        started = self.loop.task_runner.submit(self.start, pipe, policy)
        self.loop.run_until_idle()
        started.result(timeout=0)

    def start(self, pipe: MessagePipe, policy: ArmingPolicy) -> None:
        self.watcher = SimpleWatcher(policy)
        self.watcher.watch(pipe.handle0, Signals.READABLE, self.on_signal)

    def on_signal(self, result: Result, state: SignalsState) -> None:
        self.results.append(result)


@pytest.mark.parametrize("policy", list(ArmingPolicy))
def test_a_cycle_through_a_simple_watcher_is_collected(
    pipe: MessagePipe, policy: ArmingPolicy
) -> None:
    # Public contract §9: dropping the object cancels.
    assert is_collected(lambda: SimpleOwner(pipe, policy))


def test_a_cycle_with_a_posted_notification_is_collected(pipe: MessagePipe) -> None:
    # The notification waits on a run loop that only the garbage refers to.
    def make() -> SimpleOwner:
        owner = SimpleOwner(pipe, ArmingPolicy.AUTOMATIC)
        pipe.handle1.write(b"x")
        return owner

    assert is_collected(make)


def test_dropping_a_simple_watcher_cancels(pipe: MessagePipe) -> None:
    # Public contract §9: and a callback already posted is never run.
    results: list[Result] = []
    loop = RunLoop()
    holder: list[SimpleWatcher] = []

    def start() -> None:
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, lambda result, state: results.append(result))
        holder.append(watcher)

    def drop() -> None:
        pipe.handle1.write(b"x")
        holder.clear()
        gc.collect()

    for step in (start, drop):
        done = loop.task_runner.submit(step)
        loop.run_until_idle()
        done.result(timeout=0)
    assert results == []
