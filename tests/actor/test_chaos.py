"""Workers are killed at random, under load: nothing that was acknowledged is lost, nothing stays.

The normal run kills 30 of them. MOJO_SEQ_CHAOS_KILLS=1000 makes it as many as the project promises
to stand, which takes some minutes; MOJO_SEQ_CHAOS_SEED repeats a choice of victims.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from troupe.ledger import DIRECT, RELAYED, WITH_ARRAY, Adder, Entry, Ledger, Relay, read_ledger

from mojo_seq import ActorDeadError, ActorRef, ActorSystem, ProcessPool, Supervisor
from mojo_seq.pool import restart_backoff

pytestmark = pytest.mark.across_processes

KILLS = int(os.environ.get("MOJO_SEQ_CHAOS_KILLS", "30"))
SEED = int(os.environ.get("MOJO_SEQ_CHAOS_SEED", random.randrange(2**32)))

WORKERS = 3
LEDGERS = 4
SENDERS = 3
WINDOW = 6  # asks that a sender has under way at a time
ARRAY_ITEMS = 64 * 1024  # of 8 bytes
MOST_PROGRESS = 40  # asks that are answered between two kills
TIMEOUT = 30.0  # for one ask

UNLIMITED = Supervisor(max_restarts=10**9, within=1.0)


class Targets(NamedTuple):
    ledgers: list[ActorRef[Ledger]]
    relays: list[ActorRef[Relay]]


class Load:
    """Threads that ask as much as they can, and remember what was acknowledged."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._stop = threading.Event()
        self._progress = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._send, args=(number,), name=f"sender {number}")
            for number in range(SENDERS)
        ]
        self.acknowledged = set[Entry]()
        self.resolved = Counter[Entry]()
        self.lost: Counter[str] = Counter()  # asks that failed with their actor
        self.defects: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def await_progress(self, count: int) -> None:
        """Returns when so many more asks were answered."""
        for _ in range(count):
            assert self._progress.acquire(timeout=TIMEOUT), f"no progress; {self.defects[:3]}"

    def _send(self, sender: int) -> None:
        rng = random.Random(SEED + sender)
        under_way = deque[tuple[Entry, Any]]()
        number = 0
        try:
            while not (self._stop.is_set() or self.defects):
                number += 1
                entry = (sender, rng.choice((DIRECT, DIRECT, RELAYED, WITH_ARRAY)), number)
                under_way.append((entry, self._ask(rng, entry)))
                if len(under_way) >= WINDOW:
                    self._settle(*under_way.popleft())
            while under_way:
                self._settle(*under_way.popleft())
        except BaseException as error:
            self.defects.append(f"sender {sender}: {error!r}")
            raise

    def _ask(self, rng: random.Random, entry: Entry) -> Any:
        place = entry[0] % LEDGERS if rng.random() < 0.5 else rng.randrange(LEDGERS)
        if entry[1] == RELAYED:
            reply: Any = self._targets.relays[place].record(*entry)
        elif entry[1] == WITH_ARRAY:
            array = np.full(ARRAY_ITEMS, entry[2])
            reply = self._targets.ledgers[place].record_array(*entry, array)
        else:
            reply = self._targets.ledgers[place].record(*entry)
        reply.add_done_callback(lambda _: self.resolved.update([entry]))
        return reply

    def _settle(self, entry: Entry, reply: Any) -> None:
        try:
            answer = reply.result(TIMEOUT)
        except ActorDeadError as error:
            self.lost[type(error).__name__] += 1
        except BaseException as error:
            self.defects.append(f"{entry} failed with {error!r}")
        else:
            if answer == entry:
                self.acknowledged.add(entry)
            else:
                self.defects.append(f"{entry} was answered with {answer}")
            self._progress.release()


@pytest.fixture(scope="module", autouse=True)
def threads_are_running() -> None:
    """What a process has from its first use of another on, before it is counted."""
    with ProcessPool(1) as pool, ActorSystem() as system:
        assert system.spawn(Adder, on=pool).add(1, 2).result(TIMEOUT) == 3


@pytest.fixture
def fast_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of these workers dies of its own fault, so none is worth being waited for."""
    monkeypatch.setattr(restart_backoff, "_LONGEST", 0.05)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[list[Path]]:
    """Of the ledgers."""
    yield [tmp_path / f"ledger-{number}" for number in range(LEDGERS)]


def children() -> set[int]:
    """Processes of this one, zombies included."""
    found = set[int]()
    for thread in Path("/proc/self/task").iterdir():
        try:
            found.update(map(int, (thread / "children").read_text().split()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now: another one has its children
    return found


@pytest.mark.timeout(max(240, KILLS * 2))
def test_workers_are_killed_under_load(fast_restarts: None, paths: list[Path]) -> None:
    rng = random.Random(SEED)
    killed = set[str]()
    before = children()
    with ProcessPool(WORKERS) as pool, ActorSystem(supervisor=UNLIMITED) as system:
        ledgers = [system.spawn(Ledger, str(path), on=pool) for path in paths]
        relays = [system.spawn(Relay, ledger, on=pool) for ledger in [*ledgers[1:], ledgers[0]]]
        for ledger in ledgers:
            assert ledger.record(SENDERS, DIRECT, 0).result(TIMEOUT) == (SENDERS, DIRECT, 0)
        with Load(Targets(ledgers, relays)) as load:
            while len(killed) < KILLS and not load.defects:
                load.await_progress(rng.randrange(1, MOST_PROGRESS))
                processes = [worker.process for worker in pool.__actor_workers__()]
                running = [
                    each
                    for each in processes
                    if each is not None and each.pid is not None and each.name not in killed
                ]
                if running:
                    victim = rng.choice(running)
                    victim.kill()
                    killed.add(victim.name)
            load.await_progress(MOST_PROGRESS)  # there is life after death
    assert not load.defects, f"seed {SEED}: {load.defects[:3]}"
    check(load, [read_ledger(path) for path in paths])
    assert children() <= before
    print(f"{len(killed)} kills, {len(load.acknowledged)} acknowledged, {dict(load.lost)} lost")


def check(load: Load, ledgers: list[list[Entry]]) -> None:
    """What was acknowledged was written down, once, and each sender's in its order."""
    written = Counter(entry for ledger in ledgers for entry in ledger)
    lost = load.acknowledged - set(written)
    assert not lost, f"seed {SEED}: acknowledged and lost: {sorted(lost)[:10]}"
    twice = {entry: count for entry, count in written.items() if count > 1 and entry[0] < SENDERS}
    assert not twice, f"seed {SEED}: handled more than once: {twice}"
    assert set(load.resolved.values()) == {1}, f"seed {SEED}: not resolved exactly once"
    assert len(load.resolved) == len(load.acknowledged) + load.lost.total()
    for ledger in ledgers:
        last: dict[tuple[int, bool], int] = {}
        for sender, route, number in ledger:
            way = (sender, route == RELAYED)
            assert number >= last.get(way, 0), f"seed {SEED}: {sender} is out of order"
            last[way] = number
