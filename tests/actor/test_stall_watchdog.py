"""The stall watchdog: who is busy with what for too long."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from typing import Any

import pytest
from troupe import TIMEOUT

from mojo_seq import Actor, ActorSystem, RunLoop, StallReport, ThreadPool
from mojo_seq.actor.stall_watchdog import StallWatchdog
from mojo_seq.testing import TaskEnvironment

LIMIT = 0.02
AT_THE_GATE = "assert gate.wait(TIMEOUT)"


class Staller(Actor):
    """Blocks its thread, where the stack shows it."""

    def block_until_told(self, gate: threading.Event) -> str:
        assert gate.wait(TIMEOUT)
        return "done"

    async def wait_in_peace(self, begun: threading.Event, gate: asyncio.Event) -> None:
        begun.set()
        await gate.wait()

    async def block_later(self, gate: threading.Event) -> None:
        await asyncio.sleep(0)
        self.block_until_told(gate)

    def nothing(self) -> None: ...


def at_the_gate(reports: queue.Queue[StallReport]) -> StallReport:
    """The next report of an actor that has got as far as that. On a busy machine there may be
    others before: a thread that has to wait for a processor, or for the GIL, stalls as well."""
    while AT_THE_GATE not in (report := reports.get(timeout=TIMEOUT)).stack:
        continue
    return report


def test_a_stalled_actor_is_reported_again_and_again() -> None:
    reports: queue.Queue[StallReport] = queue.Queue()
    gate = threading.Event()
    with ActorSystem(2, name="stalling", stall_after=LIMIT) as system:
        system.on_stall = reports.put
        staller, other = system.spawn(Staller, name="the one"), system.spawn(Staller)
        reply = staller.block_until_told(gate)
        first, second, third = (at_the_gate(reports) for _ in range(3))
        assert other.nothing().result(TIMEOUT) is None
        gate.set()
        assert reply.result(TIMEOUT) == "done"
    assert first.ref == staller and first.method == "block_until_told" and first.args == (gate,)
    assert first.seconds >= LIMIT
    assert second.seconds >= 2 * first.seconds and third.seconds >= 2 * second.seconds
    assert first.thread.startswith("stalling-")
    assert "test_stall_watchdog.py" in first.stack


def test_each_stall_is_reported_by_itself() -> None:
    reports: queue.Queue[StallReport] = queue.Queue()
    with ActorSystem(2, stall_after=LIMIT) as system:
        system.on_stall = reports.put
        staller = system.spawn(Staller)
        for _ in range(3):
            gate = threading.Event()
            reply = staller.block_until_told(gate)
            while reports.get(timeout=TIMEOUT).args != (gate,):
                continue  # of the one before
            gate.set()
            reply.result(TIMEOUT)


def test_without_a_callback_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    with ActorSystem(2, stall_after=LIMIT) as system:
        staller = system.spawn(Staller, name="the one")
        reply = staller.block_until_told(gate)
        while not (found := [each for each in caplog.records if AT_THE_GATE in each.getMessage()]):
            gate.wait(0.001)
        gate.set()
        reply.result(TIMEOUT)
    record, text = found[0], found[0].getMessage()
    assert (record.name, record.levelname) == ("mojo_seq.actor", "WARNING")
    assert re.search(r"'the one'> has been in block_until_told\(\) for \d+\.", text)


def test_a_callback_that_raises_is_logged_and_the_watch_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: queue.Queue[StallReport] = queue.Queue()
    gate = threading.Event()

    def fail(report: StallReport) -> None:
        calls.put(report)
        raise LookupError("on purpose")

    with ActorSystem(2, stall_after=LIMIT) as system:
        system.on_stall = fail
        reply = system.spawn(Staller).block_until_told(gate)
        for _ in range(2):
            calls.get(timeout=TIMEOUT)
        gate.set()
        reply.result(TIMEOUT)
    assert "on_stall raised" in caplog.text and "on purpose" in caplog.text


def test_waiting_in_an_async_method_is_no_stall() -> None:
    reports: queue.Queue[StallReport] = queue.Queue()
    begun, gate, opened = threading.Event(), threading.Event(), asyncio.Event()
    with ActorSystem(4, stall_after=LIMIT) as system:
        system.on_stall = reports.put
        patient = system.spawn(Staller)
        waiting = patient.wait_in_peace(begun, opened)
        assert begun.wait(TIMEOUT)
        while patient._target.began:
            gate.wait(0.001)  # its first step is under way yet
        staller = system.spawn(Staller)
        held = staller.block_until_told(gate)
        at_the_gate(reports)  # what was seen of the first step has been reported before
        seen = [reports.get(timeout=TIMEOUT) for _ in range(2)]  # four times the limit and more
        assert {report.ref for report in seen} == {staller}
        gate.set()
        held.result(TIMEOUT)
        patient.kill()
        assert waiting.exception(TIMEOUT) is not None


def test_a_blocking_step_of_an_async_method_is_a_stall() -> None:
    reports: queue.Queue[StallReport] = queue.Queue()
    gate = threading.Event()
    with ActorSystem(4, stall_after=LIMIT) as system:
        system.on_stall = reports.put
        reply = system.spawn(Staller).block_later(gate)
        assert at_the_gate(reports).method == "block_later"
        gate.set()
        reply.result(TIMEOUT)


def test_actors_elsewhere_are_watched_too() -> None:
    reports: queue.Queue[StallReport] = queue.Queue()
    gate = threading.Event()
    loop = RunLoop()
    thread = threading.Thread(target=loop.run, name="a loop of ours")
    thread.start()
    with ThreadPool(1, name="own") as pool, ActorSystem(1, stall_after=LIMIT) as system:
        system.on_stall = reports.put
        replies = [
            system.spawn(Staller, on=place).block_until_told(gate)
            for place in (pool, loop.task_runner)
        ]
        threads = set[str]()
        while len(threads) < 2:
            threads.add(reports.get(timeout=TIMEOUT).thread)
        gate.set()
        for reply in replies:
            reply.result(TIMEOUT)
    assert "a loop of ours" in threads
    loop.quit()
    thread.join()


def test_without_a_limit_nothing_is_watched() -> None:
    with ActorSystem(2) as system:
        staller = system.spawn(Staller)
        staller.nothing().result(TIMEOUT)
        assert not staller._target.timed and system._watchdog is None
        names = [each.name for each in threading.enumerate()]
        assert not [name for name in names if name.endswith("-watchdog")]


def test_the_thread_ends_with_the_system() -> None:
    with ActorSystem(2, name="mine", stall_after=3600.0):
        assert any(each.name == "mine-watchdog" for each in threading.enumerate())
    assert not any(each.name == "mine-watchdog" for each in threading.enumerate())


def test_the_callback_may_shut_the_system_down() -> None:
    gate = threading.Event()
    reported = threading.Event()
    system = ActorSystem(2, stall_after=LIMIT)

    def shut_down(report: StallReport) -> None:
        if AT_THE_GATE not in report.stack:
            return  # it is about to get there
        gate.set()
        system.shutdown()
        reported.set()

    system.on_stall = shut_down
    reply = system.spawn(Staller).block_until_told(gate)
    assert reported.wait(TIMEOUT) and reply.result(TIMEOUT) == "done"
    system.shutdown()


def test_in_a_test_environment_nothing_is_watched() -> None:
    before = threading.active_count()
    with TaskEnvironment(), ActorSystem(stall_after=LIMIT) as system:
        assert system.spawn(Staller).nothing().result() is None
        assert threading.active_count() == before


def test_bad_arguments_are_refused() -> None:
    for bad in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="stall_after must be more than 0"):
            ActorSystem(stall_after=bad)
    with ActorSystem(1) as system:
        with pytest.raises(TypeError, match="on_stall must be callable, not int"):
            system.on_stall = 5  # type: ignore[assignment]
        assert system.on_stall is None


def test_what_has_ended_meanwhile_is_not_reported() -> None:
    seen = list[Any]()

    class Cell:
        """Is at its next message by the time that the stack is there."""

        number = 1
        ref = None
        thread = threading.get_ident()

        def __init__(self) -> None:
            self.begins = [1, 1, 2]

        @property
        def began(self) -> int:
            return self.begins.pop(0) if len(self.begins) > 1 else self.begins[0]

        def current_method(self) -> tuple[str, tuple[()]]:
            return "method", ()

    class System:
        def __init__(self) -> None:
            self.cell = Cell()

        def cells(self) -> list[Cell]:
            return [self.cell]

        report_stall = staticmethod(seen.append)

    with TaskEnvironment():
        watchdog = StallWatchdog(System(), "name", LIMIT)  # type: ignore[arg-type]
        watchdog.look(System())  # type: ignore[arg-type]
        watchdog.close()
    assert seen == []
