"""Many watchers, pipes and threads doing random things (system rules §9.3, §9.5)."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    AlreadyExistsError,
    MessagePipeHandle,
    MojoError,
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
    create_message_pipe,
)

WATCHERS = 50
PIPES = 25
THREADS = 10
STEPS = 400
STEPS_PER_CALLBACK = 5
CALLBACK_BUDGET = 5_000  # callbacks provoke callbacks; this ends the avalanche
TIMEOUT = 50.0


class Watch:
    """The context of one watch: what it was told, and whether that was one thing at a time."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.running = threading.Lock()
        self.accepted = False


class Playground:
    """Watchers and handles, and threads that do random things to them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.faults: list[str] = []
        self.watches: list[Watch] = []
        self.live: dict[int, list[Watch]] = defaultdict(list)
        self.budget = threading.Semaphore(CALLBACK_BUDGET)
        self.local = threading.local()
        self.handles: list[MessagePipeHandle] = []
        for _ in range(PIPES):
            self.handles += create_message_pipe()
        self.watchers = [Watcher(self.on_notification) for _ in range(WATCHERS)]

    def on_notification(
        self, context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        assert isinstance(context, Watch)
        if not context.running.acquire(blocking=False):
            self.faults.append("two callbacks of one watch at once")
            return
        if Result.CANCELLED in context.results:
            self.faults.append(f"{result.name} after CANCELLED")
        context.results.append(result)
        if self.budget.acquire(blocking=False):
            for _ in range(STEPS_PER_CALLBACK):
                self.step(self.local.random)
        context.running.release()

    def watch(self, dice: random.Random) -> None:
        number = dice.randrange(WATCHERS)
        watch = Watch()
        self.watches.append(watch)
        self.live[number].append(watch)
        signals = dice.choice([Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED])
        self.watchers[number].watch(dice.choice(self.handles), signals, watch)
        watch.accepted = True

    def cancel(self, dice: random.Random) -> None:
        number = dice.randrange(WATCHERS)
        if self.live[number]:
            self.watchers[number].cancel(dice.choice(self.live[number]))

    def step(self, dice: random.Random) -> None:
        """One random call. Any of them may find its object closed, watched, empty: that raises."""
        actions: list[Callable[[], object]] = [
            lambda: self.watch(dice),
            lambda: self.watch(dice),
            lambda: self.cancel(dice),
            lambda: dice.choice(self.watchers).arm(dice.randint(1, 4)),
            lambda: dice.choice(self.watchers).arm(),
            lambda: dice.choice(self.handles).write(b"x"),
            lambda: dice.choice(self.handles).write(b"x"),
            lambda: dice.choice(self.handles).read(),
            lambda: dice.choice(self.handles).close() if dice.random() < 0.01 else None,
            lambda: dice.choice(self.watchers).close() if dice.random() < 0.01 else None,
        ]
        try:
            dice.choice(actions)()
        except MojoError:
            return  # a legal answer to a call on an object in some other state

    def thread(self, number: int) -> None:
        self.local.random = random.Random(self.seed * 1000 + number)
        for _ in range(STEPS):
            self.step(self.local.random)

    def close(self) -> None:
        self.local.random = random.Random(self.seed)
        for closable in (*self.watchers, *self.handles):
            closable.close()


@pytest.mark.parametrize("seed", range(4))
def test_random_use_from_ten_threads(seed: int) -> None:
    # System rules §9.3, §9.5: each accepted watch gets CANCELLED once, last, and never two at once.
    playground = Playground(seed)
    with ThreadPoolExecutor(THREADS) as executor:
        threads = [executor.submit(playground.thread, number) for number in range(THREADS)]
        for thread in threads:
            thread.result(TIMEOUT)
    playground.close()
    assert playground.faults == []
    for watch in playground.watches:
        assert watch.results.count(Result.CANCELLED) == (1 if watch.accepted else 0)
        assert not watch.results or watch.results[-1] == Result.CANCELLED
    assert any(Result.OK in watch.results for watch in playground.watches)


@pytest.mark.parametrize("seed", range(3))
def test_a_pump_between_watchers_loses_no_message(seed: int) -> None:
    # System rules §9.3: handlers that read, forward and arm, on whichever thread wrote.
    hops, total = 8, 500
    pipes = [create_message_pipe() for _ in range(hops)]
    arrived: list[int] = []
    all_there = threading.Event()
    watchers: list[Watcher] = []

    def forward(number: int) -> None:
        while True:
            for message in pipes[number].handle0.read_batch():
                if number + 1 < hops:
                    pipes[number + 1].handle1.write(message.payload)
                else:
                    arrived.append(int.from_bytes(message.payload, "big"))
                    if len(arrived) == total:
                        all_there.set()
                message.close()
            if watchers[number].arm() == []:
                return

    def on_notification(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        assert isinstance(context, int)
        if result == Result.OK:
            forward(context)

    for number, pipe in enumerate(pipes):
        watchers.append(Watcher(on_notification))
        watchers[number].watch(pipe.handle0, Signals.READABLE, number)
        watchers[number].arm()
    dice = random.Random(seed)
    values = list(range(total))
    dice.shuffle(values)
    shares = [values[start::4] for start in range(4)]

    def write(share: list[int]) -> None:
        for value in share:
            pipes[0].handle1.write(value.to_bytes(4, "big"))

    with ThreadPoolExecutor(4) as executor:
        for writing in [executor.submit(write, share) for share in shares]:
            writing.result(TIMEOUT)
    assert all_there.wait(TIMEOUT)
    assert sorted(arrived) == list(range(total))
    for closable in (*watchers, *(end for pipe in pipes for end in pipe)):
        closable.close()


def test_an_armed_answer_is_true_while_others_watch_and_cancel() -> None:
    # System rules §9.2: [] means armed, also when a ready watch is cancelled at the same moment.
    total = 2000
    steady, ready = create_message_pipe(), create_message_pipe()
    told = threading.Semaphore(0)
    over = threading.Event()

    def on_notification(
        context: Hashable, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result is not Result.CANCELLED:
            told.release()

    watcher = Watcher(on_notification)
    watcher.watch(steady.handle0, Signals.READABLE, "steady")

    def come_and_go() -> None:
        while not over.is_set():
            watcher.watch(ready.handle0, Signals.WRITABLE, "ready")
            watcher.cancel("ready")

    def write_all() -> None:
        for _ in range(total):
            steady.handle1.write(b"x")

    received = 0
    with ThreadPoolExecutor(2) as executor:
        coming, writing = executor.submit(come_and_go), executor.submit(write_all)
        while received < total:
            if watcher.arm(1) == []:
                assert told.acquire(timeout=TIMEOUT), "not armed, or a message was missed"
            received += len(steady.handle0.read_batch())
        over.set()
        coming.result(TIMEOUT)
        writing.result(TIMEOUT)
    assert received == total
    for closable in (watcher, *steady, *ready):
        closable.close()


def test_one_context_goes_to_one_of_many_threads() -> None:
    # System rules §9.1: a context in use is refused, whoever asks at the same time.
    pipes = [create_message_pipe() for _ in range(4)]
    start = threading.Barrier(4)

    def watch(watcher: Watcher, handle: MessagePipeHandle) -> bool:
        start.wait(TIMEOUT)
        try:
            watcher.watch(handle, Signals.READABLE, "same")
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as executor:
        for _ in range(200):
            seen: list[Result] = []
            watcher = Watcher(lambda context, result, *rest, seen=seen: seen.append(result))
            tried = [executor.submit(watch, watcher, pipe.handle0) for pipe in pipes]
            assert sorted(each.result(TIMEOUT) for each in tried) == [False, False, False, True]
            watcher.close()
            assert seen == [Result.CANCELLED]
    for pipe in pipes:
        for end in pipe:
            end.close()
