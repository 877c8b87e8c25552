"""The first result of a pool: how long it takes from making the pool, its imports included.

In an interpreter that has imported nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from harness import Measure, main
from verdict import Target

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

MOJO = "mojo_seq.ProcessPool"
EXECUTOR = "ProcessPoolExecutor, spawn"
WORKERS = 4

# The task is one that the workers need no module for.
FIRST_RESULT = """\
import os, time

start = time.perf_counter()
{imports}
with {pool} as pool:
    pool.submit(os.getpid).result()
    print(time.perf_counter() - start)
"""
MOJO_POOL = FIRST_RESULT.format(
    imports="from mojo_seq import ProcessPool", pool=f"ProcessPool({WORKERS})"
)
EXECUTOR_POOL = FIRST_RESULT.format(
    imports="import multiprocessing; from concurrent.futures import ProcessPoolExecutor",
    pool=f"ProcessPoolExecutor({WORKERS}, multiprocessing.get_context('spawn'))",
)


def milliseconds(code: str, _scale: Scale) -> float:
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1e3


MEASURES = (
    Measure(
        "first result of a new pool",
        "ms",
        (
            Contender(MOJO, partial(milliseconds, MOJO_POOL)),
            Contender(EXECUTOR, partial(milliseconds, EXECUTOR_POOL)),
        ),
        (Target.within(MOJO, EXECUTOR, 1.0),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
