"""mojo_seq.cli.lost_worker"""

from __future__ import annotations

import signal

import pytest

from mojo_seq.cli.lost_worker import LostWorker


@pytest.mark.parametrize(
    ("exitcode", "reason"),
    [
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-(signal.SIGRTMIN + 3), f"was killed by signal {signal.SIGRTMIN + 3}"),
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
    ],
)
def test_what_is_said(exitcode: int, reason: str) -> None:
    lost = LostWorker(2, 4321, exitcode)
    assert lost.reason == reason
    assert str(lost) == f"worker 2 (pid 4321) {reason}"


def test_what_is_said_of_one_that_nobody_knew() -> None:
    assert str(LostWorker(2, None, None)) == "worker 2 could not be started"
