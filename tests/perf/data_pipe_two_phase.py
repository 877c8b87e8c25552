"""Data pipe: hand over a numpy array that was built in the pipe's own window.

Timed is what sending and receiving add to the building: begin, view as an array, commit; begin,
view, consume. Nothing of that may depend on how large the array is. The rows that copy show what
is saved.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from statistics import median

import numpy as np
from harness import Measure, main
from verdict import Target

import mojo_seq
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
SIZES = {
    "4 KiB": 4 * KIBIBYTE,
    "64 KiB": 64 * KIBIBYTE,
    "1 MiB": MEBIBYTE,
    "16 MiB": 16 * MEBIBYTE,
    "64 MiB": 64 * MEBIBYTE,
}


def in_place(nbytes: int, scale: Scale) -> float:
    """Microseconds of a hand-over; the array is built outside the timed parts."""
    producer, consumer = mojo_seq.create_data_pipe(nbytes, 8)
    clock = time.perf_counter
    times: list[float] = []
    with producer, consumer:
        for turn in range(scale.n(2000) + 5):
            start = clock()
            window = producer.begin_write(nbytes)
            array = window.as_array(np.float64)
            write_begun = clock()
            # The first rounds build all of it; later ones leave the cache to the timed calls.
            array[: None if turn < 5 else 1] = turn
            array[-1] = turn
            del array
            built = clock()
            window.commit(nbytes)
            read_window = consumer.begin_read(nbytes)
            seen = read_window.as_array(np.float64)
            handed_over = clock()
            if seen.nbytes != nbytes or seen[0] != turn or seen[-1] != turn:
                raise AssertionError("what was read is not what was built")
            del seen
            checked = clock()
            read_window.consume(nbytes)
            times.append(write_begun - start + handed_over - built + clock() - checked)
    return median(times[5:]) * 1e6


def copied(nbytes: int, scale: Scale) -> float:
    """Microseconds of a hand-over with `write` and `readinto`: two copies."""
    producer, consumer = mojo_seq.create_data_pipe(nbytes, 8)
    source = np.ones(nbytes // 8)
    target = np.zeros(nbytes // 8)
    repetitions = max(3, min(scale.n(2000), scale.n(1024 * MEBIBYTE) // nbytes))
    times: list[float] = []
    with producer, consumer:
        for _ in range(repetitions + 2):
            start = time.perf_counter()
            producer.write(source, all_or_none=True)
            consumer.readinto(target, all_or_none=True)
            times.append(time.perf_counter() - start)
    return median(times[2:]) * 1e6


MEASURES = (
    Measure(
        "data pipe: hand-over of a numpy array already in place",
        "us",
        (
            *(Contender(f"in place, {name}", partial(in_place, n)) for name, n in SIZES.items()),
            *(Contender(f"copied, {name}", partial(copied, n)) for name, n in SIZES.items()),
        ),
        # Independent of the size; half as much again is for the noise and the cold cache lines.
        (Target.within("in place, 64 MiB", "in place, 4 KiB", 1.5),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
