"""Runs all measuring scripts and prints one table.

Takes half an hour; keep the machine otherwise idle. `--quick` only checks the scripts.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from harness import Measure, parse, run_measure
from verdict import Results, report

SCRIPTS = (
    "message_pipe",
    "data_pipe_stream",
    "data_pipe_two_phase",
    "post_task",
    "post_and_reply",
    "watcher",
    "memory",
    "scale",
    "scale_ends",
    "remote_round_trip",
    "remote_one_way",
    "remote_array",
    "remote_stream",
    "remote_transfer",
    "remote_fan_in",
    "remote_memory",
    "ring_threshold",
    "actor_ask",
    "actor_tell",
    "actor_spawn",
    "actor_process_ask",
    "actor_process_array",
    "pool_array",
    "pool_calls",
    "pool_cold",
    "import_time",
    "cpu_cost",
)


def main() -> int:
    options = parse(None, __doc__)
    results: list[Results] = []
    for script in SCRIPTS:
        path = Path(__file__).with_name(f"{script}.py")
        measures: tuple[Measure, ...] = importlib.import_module(script).MEASURES
        for index, measure in enumerate(measures):
            print(f"measuring {measure.title} ...", file=sys.stderr, flush=True)
            results.append(run_measure(path, index, measure, options.quick, options.rounds))
    return report(results, options.json)


if __name__ == "__main__":
    sys.exit(main())
