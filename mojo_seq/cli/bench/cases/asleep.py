"""Round trip of 64 bytes between two processes that have fallen asleep: nothing saves the wake-ups.

Its processor time includes what both sides do before they fall asleep again.
"""

from __future__ import annotations

from mojo_seq.cli.bench.cases.round_trip import after_a_pause, case

CASE = case("round trip of 64 B between processes, asleep", after_a_pause)
