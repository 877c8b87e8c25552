"""progress= of imap, imap_unordered, stream and map: callbacks, text, and bars of rich."""

from __future__ import annotations

import asyncio
import io
import itertools
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from typing import Any

import pytest
import stream_tasks
from gate import Gate
from manual_pool import ManualPool

from mojo_seq import ProcessPool, current_task
from mojo_seq.pool.progress import TextProgress, describe, make_progress

Calls = list[tuple[float, int | None]]


def identity(value: Any) -> Any:
    return value


@pytest.fixture
def manual() -> ManualPool:
    return ManualPool()


@pytest.fixture
def calls() -> Calls:
    """What a callback was called with, if `append_to` makes it."""
    return []


def append_to(calls: Calls) -> Callable[[float, int | None], None]:
    return lambda done, total: calls.append((done, total))


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mojo_seq.pool.rich_progress", None)  # importing it raises


# --- callbacks ---


def test_a_callback_is_told_of_each_task(manual: ManualPool, calls: Calls) -> None:
    manual.fast = 100
    list(manual.imap(identity, range(3), progress=append_to(calls)))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("iterables", "total"),
    [
        ([range(5)], 5),
        ([range(5), range(3)], 3),
        ([itertools.count(), [1, 2]], 2),
        ([iter([1, 2, 3])], 3),
        ([itertools.count()], None),
        ([(each for each in "abc")], None),
        ([itertools.repeat(1)], None),
    ],
)
def test_the_total_is_known_if_a_length_is(
    manual: ManualPool, calls: Calls, iterables: list[Iterable[Any]], total: int | None
) -> None:
    manual.fast = 1
    with manual.imap(lambda *args: args, *iterables, progress=append_to(calls)) as results:
        manual.fast = 0
        next(results)
    assert calls == [(0, total), (1, total)]


def test_the_total_is_known_at_the_end(manual: ManualPool, calls: Calls) -> None:
    manual.fast = 100
    list(manual.imap(identity, (each for each in "abc"), progress=append_to(calls)))
    assert calls[-1] == (3, 3)


def test_all_that_is_done_counts_before_it_is_taken(manual: ManualPool, calls: Calls) -> None:
    """And the callback is called while the iterator waits."""
    with manual.imap(identity, range(4), progress=append_to(calls)) as results:
        manual.run(1, 2)
        with pytest.raises(TimeoutError):
            results.next(0)
        assert calls == [(0, 4), (2, 4)]


def test_chunks_count_as_their_calls(manual: ManualPool, calls: Calls) -> None:
    manual.fast = 100
    list(manual.imap(identity, range(5), chunksize=2, progress=append_to(calls)))
    assert calls == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_failed_calls_count(manual: ManualPool, calls: Calls) -> None:
    manual.fast = 100
    with manual.imap(stream_tasks.reciprocal, [0, 0], progress=append_to(calls)) as results:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                next(results)
    assert calls == [(0, 2), (1, 2), (2, 2)]


def test_it_is_called_on_the_thread_that_iterates(pool: ProcessPool) -> None:
    threads = set()

    def note(done: float, total: int | None) -> None:
        threads.add(threading.current_thread())

    list(pool.imap_unordered(stream_tasks.square, range(50), progress=note))
    assert threads == {threading.current_thread()}


def test_an_exception_of_the_callback_loses_no_result(manual: ManualPool) -> None:
    manual.fast = 100
    failing = False

    def fail(done: float, total: int | None) -> None:
        if failing:
            raise LookupError

    with manual.imap(identity, "abc", progress=fail) as results:
        failing = True
        with pytest.raises(LookupError):
            next(results)
        failing = False
        assert list(results) == ["a", "b", "c"]


def test_progress_of_a_stream(pool: ProcessPool, calls: Calls) -> None:
    assert list(pool.stream(stream_tasks.count, 4, progress=append_to(calls))) == [0, 1, 2, 3]
    assert calls == [(0, None), (1, None), (2, None), (3, None), (4, None)]


def test_progress_of_map(pool: ProcessPool, calls: Calls) -> None:
    found = pool.map(stream_tasks.square, range(20), progress=append_to(calls))
    assert list(found) == [n * n for n in range(20)]
    assert calls[-1] == (20, 20)
    assert calls == sorted(calls)


def test_progress_in_an_event_loop(pool: ProcessPool, calls: Calls) -> None:
    async def main() -> None:
        async for _ in pool.imap(stream_tasks.square, range(20), progress=append_to(calls)):
            pass

    asyncio.run(main())
    assert calls[-1] == (20, 20)


# --- reports of tasks ---


def test_tasks_report_of_themselves(manual: ManualPool, calls: Calls) -> None:
    """`done` has a fraction then, and never goes back."""
    with manual.imap(identity, range(4), buffer=4, progress=append_to(calls)) as results:
        for report in ((1, 4), (2, 4), (1, 4), (9, None), (100, 50)):
            on_item = manual.tasks[0].on_item
            assert on_item is not None
            on_item(report)
            with pytest.raises(TimeoutError):
                results.next(0)
        manual.run(0)
        next(results)
        with pytest.raises(TimeoutError):
            results.next(0)
    assert calls == [(0, 4), (0.25, 4), (0.5, 4), (1, 4)]


def test_a_report_comes_from_the_worker(pool: ProcessPool, gate: Gate, calls: Calls) -> None:
    with gate:
        results = pool.imap(stream_tasks.report_and_wait, [gate.path], progress=append_to(calls))
        gate.next_begun()
        while len(calls) < 2:
            with pytest.raises(TimeoutError):
                results.next(0.01)
    list(results)
    assert calls == [(0, 1), (0.5, 1), (1, 1)]


def test_reports_of_a_stream_are_its_progress(pool: ProcessPool, gate: Gate, calls: Calls) -> None:
    with gate:
        items = pool.stream(stream_tasks.yield_reports, gate.path, progress=append_to(calls))
        assert [next(items), next(items)] == ["a", "b"]
        while (3, 4) not in calls:
            with pytest.raises(TimeoutError):
                items.next(0.01)
    assert list(items) == []
    assert calls == sorted(calls)


def test_reports_that_nobody_wants(pool: ProcessPool, gate: Gate) -> None:
    gate.open()
    assert pool.submit(stream_tasks.report_and_wait, gate.path).result() is None
    assert list(pool.imap(stream_tasks.report_and_wait, [gate.path])) == [None]
    with pytest.raises(RuntimeError):
        current_task()


# --- text ---


def test_lines_if_standard_error_is_no_terminal(
    manual: ManualPool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manual.fast = 100
    monkeypatch.setattr("mojo_seq.pool.progress._LINE_INTERVAL", 0.0)
    list(manual.imap(identity, range(2), progress=True))
    shown = capsys.readouterr()
    assert shown.out == ""
    first, second, last = shown.err.splitlines()
    assert "identity  [..............................]   0%  0 of 2" in first
    assert "identity  [###############...............]  50%  1 of 2" in second
    assert "identity  [##############################] 100%  2 of 2" in last


def test_short_work_is_told_of_once(
    manual: ManualPool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mojo_seq.pool.progress._LINE_INTERVAL", 3600.0)
    manual.fast = 1000
    list(manual.imap(identity, range(1000), progress=True))
    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_is_shown_if_nothing_is_done(
    manual: ManualPool, capsys: pytest.CaptureFixture[str]
) -> None:
    manual.imap(identity, itertools.count(), progress=True).close()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("without_rich")
def test_a_bar_on_a_terminal(manual: ManualPool) -> None:
    manual.fast = 100
    with redirect_stderr(Terminal()) as terminal:
        list(manual.imap(identity, range(8), progress=True))
    lines = terminal.getvalue().split("\r\x1b[K")
    assert lines[0] == "" and "100%  8 of 8" in lines[-1]
    assert lines[-1].endswith("\n") and terminal.getvalue().count("\n") == 1


@pytest.mark.usefixtures("without_rich")
def test_an_abandoned_bar_is_ended(manual: ManualPool) -> None:
    manual.fast = 100
    with redirect_stderr(Terminal()) as terminal:
        for _ in manual.imap(identity, itertools.count(), progress=True):
            break
    assert terminal.getvalue().endswith("\n")


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 4, "f  [..............................]   0%  0 of 4  0.0/s"),
        (1.5, 4, "f  [###########...................]  38%  1 of 4  0.8/s"),
        (9, 4, "f  [##############################] 100%  9 of 4  4.5/s"),
        (5000, None, "f  5,000  2,500.0/s"),
        (0, 0, "f  0 of 0  0.0/s"),
    ],
)
def test_a_line(done: float, total: int | None, text: str) -> None:
    assert describe("f", done, total, 2.0) == text


# --- rich ---


def test_a_bar_of_rich(manual: ManualPool) -> None:
    manual.fast = 100
    with redirect_stderr(Terminal()) as terminal:
        list(manual.imap(identity, range(8), progress=True))
    assert "identity" in terminal.getvalue()
    assert "8/8" in terminal.getvalue()
    assert terminal.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is back


def test_bars_that_end_in_any_order(manual: ManualPool) -> None:
    manual.fast = 100
    with redirect_stderr(Terminal()) as terminal:
        first, second = (manual.imap(identity, range(2), progress=True) for _ in range(2))
        assert [next(first), next(second), next(first)] == [0, 0, 1]
        first.close()
        assert list(second) == [1]
        second.close()
        list(manual.imap(identity, range(3), progress=True))
        assert sys.stderr is terminal
    assert "2/2" in terminal.getvalue() and "3/3" in terminal.getvalue()


# --- which ---


def test_no_progress_by_default(manual: ManualPool, capsys: pytest.CaptureFixture[str]) -> None:
    manual.fast = 100
    for progress in (None, False):
        list(manual.imap(identity, range(3), progress=progress))
    assert capsys.readouterr().err == ""


def test_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert make_progress(True, "f") is None


@pytest.mark.usefixtures("without_rich")
def test_text_without_rich() -> None:
    with redirect_stderr(Terminal()):
        assert isinstance(make_progress(True, "f"), TextProgress)


def test_bad_progress() -> None:
    with pytest.raises(TypeError, match="progress must be a bool or callable, not str"):
        make_progress("yes", "f")  # type: ignore[arg-type]
