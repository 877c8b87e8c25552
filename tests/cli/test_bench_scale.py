"""mojo_seq.cli.bench.scale and processor_time: the work of a sample, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from mojo_seq.cli.bench import scale as scale_module
from mojo_seq.cli.bench.processor_time import ProcessorTime
from mojo_seq.cli.bench.scale import BLOCKS, WARM_UP, Scale, rested


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_repetitions_are_a_share_of_the_full_number() -> None:
    assert [Scale(share).n(500) for share in (1.0, 0.2, 0.01, 0.0001)] == [500, 100, 5, 1]


@pytest.mark.parametrize(("cost", "tried"), [(40e-6, [50, 50]), (4e-6, [50, 50, 200, 800])])
def test_an_operation_is_timed_in_blocks_of_many(
    cost: float, tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def run(n: int) -> None:
        done.append(n)
        busy(n * cost)

    def undisturbed(run: Callable[[int], object], n: int) -> float:
        run(n)
        return n * cost

    monkeypatch.setattr(scale_module, "timed", undisturbed)
    scale = Scale(0.05)
    seconds = scale.per_operation(run, 1.0, operations=2)

    in_a_block = round(0.05 / BLOCKS / cost)
    assert done[: len(tried)] == tried and len(done) == len(tried) + BLOCKS
    assert done[-BLOCKS:] == [pytest.approx(in_a_block, abs=1)] * BLOCKS
    assert seconds == pytest.approx(cost / 2)  # two operations at each turn
    assert scale.cpu is not None and scale.cpu >= cost / 2


def test_what_takes_time_is_timed() -> None:
    done: list[int] = []

    def run(n: int) -> None:
        done.append(n)
        busy(n * 20e-6)

    assert Scale(0.05).per_operation(run) >= 20e-6
    assert len(set(done[-BLOCKS:])) == 1


def test_turns_are_timed_one_by_one_after_a_few_that_are_not() -> None:
    turns: list[float] = []

    def once() -> None:
        turns.append(0.0)
        busy(1e-3)

    scale = Scale()
    seconds = scale.per_turn(once, 9)
    assert len(turns) == WARM_UP + 9
    assert seconds >= 1e-3
    assert scale.cpu is not None and scale.cpu >= 1e-3


def test_operations_that_begin_after_a_pause() -> None:
    turns: list[float] = []
    start = time.perf_counter()
    assert rested(lambda: turns.append(time.perf_counter()), 3) >= 0.0
    assert len(turns) == 3 and turns[-1] - start >= 3 * 0.002


def test_processor_time_is_that_of_all_processes() -> None:
    """Of one that is there already, which works on; of one that comes and goes."""
    work = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    wait, tell = "input()\n", "print('here', flush=True)\n"
    child = [sys.executable, "-c", tell + wait + work + tell + wait]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(child, **pipes) as working:  # type: ignore[call-overload]
        working.stdout.readline()  # it has started, which takes time as well
        used = ProcessorTime()
        before = used.seconds()
        working.stdin.write("\n")
        working.stdin.flush()
        working.stdout.readline()
        with_first = used.seconds()
        subprocess.run([sys.executable, "-c", work], check=True)
        with_both = used.seconds()
        working.stdin.write("\n")
    assert before is not None and with_first is not None and with_both is not None
    assert before < 0.3 <= with_first
    assert with_both - with_first >= 0.3


@pytest.mark.parametrize("share", [0.001, 0.01])
def test_a_small_share_still_measures(share: float) -> None:
    assert Scale(share).per_operation(lambda n: busy(n * 1e-6)) > 0
