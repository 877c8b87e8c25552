"""Import: what `import mojo_seq` adds to a bare interpreter, and what it must not pull in.

Each figure is the best of several fresh interpreters, because everything that disturbs a start
only makes it longer. The clock runs inside the interpreter, around the import alone, so its own
start is not in the figure. Nor does it profit from modules that something else happened to import:
the interpreters run without `.pth` files, of which that of an editable install alone brings in
pathlib, re, enum and others that an ordinary installation has to import itself.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from harness import Measure, main
from verdict import Target

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

FORBIDDEN = ("numpy", "asyncio")

# `site` without its work is what an interpreter without `.pth` files would have imported.
TIMED_IMPORT = """\
import site, sys, time
sys.path.append(sys.argv[1])
start = time.perf_counter()
import {module}
elapsed = time.perf_counter() - start
print(elapsed, *sorted(sys.modules))
"""


def parent_folder(module: str) -> str:
    """The folder of `sys.path` that a top-level module was found in."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return str(Path(spec.origin).parent.parent)


def milliseconds(module: str, forbidden: tuple[str, ...], scale: Scale) -> float:
    """Best time to import a module. Raises if that imports a forbidden one."""
    command = [sys.executable, "-S", "-c", TIMED_IMPORT.format(module=module)]
    # Byte code must be cached, or the figure would be the compiler's.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: list[float] = []
    for _ in range(max(3, scale.n(20))):
        done = subprocess.run(
            [*command, parent_folder(module)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        elapsed, *modules = done.stdout.split()
        if unwanted := set(forbidden) & set(modules):
            raise AssertionError(f"import {module} imports {sorted(unwanted)}")
        times.append(float(elapsed))
    return min(times) * 1e3


OURS = "mojo_seq (no numpy, no asyncio)"
PEERS = ("concurrent.futures.thread", "multiprocessing.pool", "asyncio", "numpy")

MEASURES = (
    Measure(
        "import, over a bare interpreter",
        "ms",
        (
            Contender(OURS, partial(milliseconds, "mojo_seq", FORBIDDEN)),
            *(Contender(module, partial(milliseconds, module, ())) for module in PEERS),
        ),
        (Target.at_most(OURS, 20, "ms"),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
