"""Anchors: what a demo has to do until the test says so."""

from __future__ import annotations

import os
from pathlib import Path

from demo_under_way import DemoUnderWay, Process


def at_work(demo: DemoUnderWay, worker: Process) -> None:
    worker.wait_for_work(0.05)


class Anchors:
    """Files without an end, one for each worker: nobody is through before they are cut off."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        for path in paths:
            path.touch()
            os.truncate(path, 1 << 40)

    def weigh(self) -> None:
        for path in self.paths:
            os.truncate(path, 0)

    def leave_only_to(self, worker: Process, demo: DemoUnderWay) -> None:
        """It is stopped while it has one, and all others finish. They must have come first."""
        at_work(demo, worker)
        worker.stop()
        self.weigh()
        demo.wait_until_idle()
