"""The machine that the figures are of, and what else it was doing meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.25  # processors' worth of work of others, from which on we warn


@dataclass(frozen=True)
class Machine:
    """What does not change during a run."""

    processor: str
    processors: int
    usable: int  # by this process
    system: str
    python: str
    settings: dict[str, str]  # environment variables of ours that are set

    @classmethod
    def this_one(cls) -> Machine:
        return cls(
            processor=processor_name(),
            processors=os.cpu_count() or 1,
            usable=len(os.sched_getaffinity(0)),
            system=f"{platform.system()} {platform.release()}, {platform.machine()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            settings={k: v for k, v in sorted(os.environ.items()) if k.startswith("MOJO_SEQ_")},
        )


def processor_name() -> str:
    """As the kernel knows it, or the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2] for line in lines if line.startswith(("model name", "Model")))
    return " ".join(next(names, platform.machine()).split())


def load() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


class Others:
    """How busy the machine is with what is not ours, since this was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._busy = busy_seconds() - own_seconds()

    def processors(self) -> float:
        """How many processors they kept busy, on average."""
        elapsed = max(time.monotonic() - self._start, 1e-3)
        return max(busy_seconds() - own_seconds() - self._busy, 0.0) / elapsed


def busy_seconds() -> float:
    """Of all processors together, since the machine was started; also what others took from it."""
    with open("/proc/stat") as stat:
        _, *fields = stat.readline().split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Processor time of this process, and of all that came from it and has ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
