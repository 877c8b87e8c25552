"""A watcher against a model of the arming rules (system rules §8.1, §9.1-§9.3)."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mojo_seq import (
    AlreadyExistsError,
    InvalidArgumentError,
    MessagePipeHandle,
    NotFoundError,
    NotificationFlags,
    PeerClosedError,
    Result,
    ShouldWaitError,
    Signals,
    SignalsState,
    Watcher,
    create_message_pipe,
)

ENDS = 6  # three pipes; the peer of end n is n ^ 1
CONTEXTS = 4
NOTHING = (Signals.NONE, Signals.NONE)
State = tuple[Signals, Signals]
Event = tuple[int, Result, State]

ends = st.integers(0, ENDS - 1)
contexts = st.integers(0, CONTEXTS - 1)
signal_sets = st.sampled_from(
    [
        Signals.READABLE,
        Signals.WRITABLE,
        Signals.PEER_CLOSED,
        Signals.NONE,
        Signals.NEW_DATA_READABLE,
        Signals.READABLE | Signals.PEER_CLOSED,
        Signals.PEER_REMOTE,
    ]
)


@dataclass
class End:
    """The model of one pipe end."""

    handle: MessagePipeHandle
    queued: int = 0
    closed: bool = False
    watch: tuple[int, Signals] | None = None  # context, signals


@dataclass
class Model:
    """What the watcher must know, and the notifications it owes."""

    ends: list[End] = field(default_factory=list)
    armed: bool = False
    owed: list[Event] = field(default_factory=list)

    def state(self, number: int) -> State:
        # System rules §8.1.
        peer_open = not self.ends[number ^ 1].closed
        readable = Signals.READABLE if self.ends[number].queued else Signals.NONE
        if peer_open:
            possible = (
                Signals.READABLE | Signals.WRITABLE | Signals.PEER_CLOSED | Signals.PEER_REMOTE
            )
            return readable | Signals.WRITABLE, possible
        return readable | Signals.PEER_CLOSED, readable | Signals.PEER_CLOSED

    def verdict(self, number: int) -> Result | None:
        # System rules §9.1: any satisfied -> OK; none ever satisfiable -> FAILED_PRECONDITION.
        watch = self.ends[number].watch
        if watch is None:
            return None
        satisfied, satisfiable = self.state(number)
        if satisfied & watch[1]:
            return Result.OK
        return None if satisfiable & watch[1] else Result.FAILED_PRECONDITION

    def ready(self) -> dict[int, tuple[Result, State]]:
        found = {}
        for number, end in enumerate(self.ends):
            verdict = self.verdict(number)
            if end.watch is not None and verdict is not None:
                found[end.watch[0]] = (verdict, self.state(number))
        return found

    def changed(self, number: int) -> None:
        # System rules §9.3: notifies only if armed, and disarms.
        verdict, watch = self.verdict(number), self.ends[number].watch
        if self.armed and verdict is not None and watch is not None:
            self.armed = False
            self.owed.append((watch[0], verdict, self.state(number)))

    def cancelled(self, number: int) -> None:
        # System rules §9.3: once, armed or not, with the empty state.
        watch = self.ends[number].watch
        if watch is not None:
            self.ends[number].watch = None
            self.owed.append((watch[0], Result.CANCELLED, NOTHING))

    def end_of(self, context: int) -> int | None:
        for number, end in enumerate(self.ends):
            if end.watch is not None and end.watch[0] == context:
                return number
        return None


class WatcherMachine(RuleBasedStateMachine):
    """One watcher, three message pipes, one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.model = Model()
        for _ in range(ENDS // 2):
            self.model.ends += [End(handle) for handle in create_message_pipe()]
        self.carrier = create_message_pipe()
        self.watcher = Watcher(self.on_notification)

    def on_notification(
        self, context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        assert isinstance(context, int)
        assert flags == NotificationFlags.NONE
        self.events.append((context, result, (state.satisfied, state.satisfiable)))

    def raised(self, call: Callable[[], object]) -> type[Exception] | None:
        try:
            call()
        except Exception as error:
            return type(error)
        return None

    @rule(context=contexts, end=ends, signals=signal_sets)
    def watch(self, context: int, end: int, signals: Signals) -> None:
        model = self.model.ends[end]
        allowed: set[type[Exception]] = set()
        if model.closed:
            allowed.add(InvalidArgumentError)
        if model.watch is not None or self.model.end_of(context) is not None:
            allowed.add(AlreadyExistsError)
        error = self.raised(lambda: self.watcher.watch(model.handle, signals, context))
        if allowed:
            assert error in allowed
            return
        assert error is None
        model.watch = (context, signals)
        self.model.changed(end)  # system rules §9.1: already met on an armed watcher fires at once

    @rule(context=contexts)
    def cancel(self, context: int) -> None:
        end = self.model.end_of(context)
        error = self.raised(lambda: self.watcher.cancel(context))
        assert error == (NotFoundError if end is None else None)
        if end is not None:
            self.model.cancelled(end)

    @rule(max_ready=st.integers(1, 5))
    def arm(self, max_ready: int) -> None:
        if all(end.watch is None for end in self.model.ends):
            assert self.raised(self.watcher.arm) is NotFoundError
            return
        expected = self.model.ready()
        found = self.watcher.arm(max_ready)
        assert len(found) == min(max_ready, len(expected))
        assert len({entry.context for entry in found}) == len(found)
        for entry in found:
            state = (entry.state.satisfied, entry.state.satisfiable)
            assert isinstance(entry.context, int)
            assert expected[entry.context] == (entry.result, state)
        self.model.armed = not expected

    @rule(end=ends)
    def write(self, end: int) -> None:
        model, peer = self.model.ends[end], self.model.ends[end ^ 1]
        error = self.raised(lambda: model.handle.write(b"x"))
        if model.closed or peer.closed:
            assert error is (InvalidArgumentError if model.closed else PeerClosedError)
            return
        assert error is None
        peer.queued += 1
        self.model.changed(end ^ 1)

    @rule(end=ends)
    def read(self, end: int) -> None:
        model, peer = self.model.ends[end], self.model.ends[end ^ 1]
        error = self.raised(lambda: model.handle.read().close())
        if model.closed:
            assert error is InvalidArgumentError
        elif not model.queued:
            assert error is (PeerClosedError if peer.closed else ShouldWaitError)
        else:
            assert error is None
            model.queued -= 1
            self.model.changed(end)

    @rule(end=ends)
    def close(self, end: int) -> None:
        model = self.model.ends[end]
        model.handle.close()
        if not model.closed:
            model.closed, model.queued = True, 0
            self.model.cancelled(end)
            self.model.changed(end ^ 1)

    @rule(end=ends)
    def send(self, end: int) -> None:
        """The end travels over another pipe: its watch is over, its messages go with it."""
        model = self.model.ends[end]
        error = self.raised(lambda: self.carrier.handle0.write(b"", [model.handle]))
        assert error == (InvalidArgumentError if model.closed else None)
        if error is None:
            with self.carrier.handle1.read() as message:
                [handle] = message.take_handles()
            assert isinstance(handle, MessagePipeHandle)
            model.handle = handle
            self.model.cancelled(end)

    @rule(end=ends)
    def replace_pipe(self, end: int) -> None:
        """A fresh pipe instead of one of which both ends are closed."""
        pair = [end & ~1, end | 1]
        if all(self.model.ends[number].closed for number in pair):
            for number, handle in zip(pair, create_message_pipe(), strict=True):
                self.model.ends[number] = End(handle)

    @rule()
    def close_watcher(self) -> None:
        self.watcher.close()
        for number in range(ENDS):
            self.model.cancelled(number)
        self.model.armed = False
        self.compare()
        self.watcher = Watcher(self.on_notification)

    @invariant()
    def compare(self) -> None:
        cancelled = [event for event in self.events if event[1] == Result.CANCELLED]
        owed = [event for event in self.model.owed if event[1] == Result.CANCELLED]
        assert Counter(cancelled) == Counter(owed)
        # System rules §9.3: all CANCELLED of one call come before its other notifications.
        others = [event for event in self.model.owed if event[1] != Result.CANCELLED]
        assert self.events == cancelled + others
        self.events.clear()
        self.model.owed.clear()

    def teardown(self) -> None:
        self.watcher.close()
        for handle in (*self.carrier, *(end.handle for end in self.model.ends)):
            handle.close()


WatcherMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestWatcherModel = WatcherMachine.TestCase
