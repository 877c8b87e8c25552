"""Import: what `import mojo_seq` adds to a bare interpreter, and what it must not pull in.

Each figure is the best of several fresh interpreters, because everything that disturbs a start
only makes it longer. The clock runs inside the interpreter, around the import alone, so its own
start is not in the figure.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from harness import Contender, Measure, Scale, main
from verdict import Target

FORBIDDEN = ("numpy", "asyncio")

TIMED_IMPORT = """\
import sys, time
start = time.perf_counter()
import {module}
elapsed = time.perf_counter() - start
print(elapsed, *sorted(sys.modules))
"""


def milliseconds(module: str, forbidden: tuple[str, ...], scale: Scale) -> float:
    """Best time to import a module. Raises if that imports a forbidden one."""
    times: list[float] = []
    for _ in range(2 if scale.quick else 10):
        done = subprocess.run(
            [sys.executable, "-c", TIMED_IMPORT.format(module=module)],
            capture_output=True,
            text=True,
            check=True,
        )
        elapsed, *modules = done.stdout.split()
        if unwanted := set(forbidden) & set(modules):
            raise AssertionError(f"import {module} imports {sorted(unwanted)}")
        times.append(float(elapsed))
    return min(times) * 1e3


MEASURES = (
    Measure(
        "import, over a bare interpreter",
        "ms",
        (
            Contender(
                "mojo_seq (no numpy, no asyncio)", partial(milliseconds, "mojo_seq", FORBIDDEN)
            ),
            *(
                Contender(module, partial(milliseconds, module, ()))
                for module in (
                    "concurrent.futures.thread",
                    "multiprocessing.pool",
                    "asyncio",
                    "numpy",
                )
            ),
        ),
        (Target.at_most("mojo_seq (no numpy, no asyncio)", 20, "ms"),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
