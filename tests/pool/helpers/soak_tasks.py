"""What the soak runs in workers. Each run of a task leaves its token in a file, before all else."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mojo_seq import check_cancelled, give

Array = np.ndarray[Any, np.dtype[np.float64]]

TOKEN = struct.Struct("<Q")
FOREVER = 3600.0
DEATHS = {"segfault": -signal.SIGSEGV, "abort": -signal.SIGABRT, "kill": -signal.SIGKILL, "exit": 7}


class TokenError(Exception):
    """What tasks raise that are to raise: with their token."""


def note_run(log: str, token: int) -> None:
    """So small a write to the end of a file is not torn, whoever else writes, and who is killed."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, TOKEN.pack(token))
    finally:
        os.close(descriptor)


def read_runs(log: str) -> Any:
    """How often each token is in the file: an array."""
    return np.bincount(np.fromfile(log, np.uint64).astype(np.int64))


def compute(log: str, token: int, steps: int) -> int:
    note_run(log, token)
    for _ in range(steps):
        pass
    return token


def rest(log: str, token: int, seconds: float) -> int:
    note_run(log, token)
    time.sleep(seconds)
    return token


def fail(log: str, token: int) -> NoReturn:
    note_run(log, token)
    raise TokenError(token)


def die(log: str, token: int, how: str) -> NoReturn:
    note_run(log, token)
    _die(how)


def _die(how: str) -> NoReturn:
    match how:
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(DEATHS["exit"])
    raise AssertionError(f"survived {how}")


def die_some_times(log: str, token: int, times: int) -> int:
    """The first runs die, the next one does not."""
    note_run(log, token)
    marks = Path(log).with_name(f"runs of {token}")
    with marks.open("ab") as file:
        file.write(b".")
    if marks.stat().st_size <= times:
        _die(random.choice(list(DEATHS)))
    return token


def double(log: str, token: int, parcel: dict[str, Array]) -> dict[str, Array]:
    note_run(log, token)
    return {"doubled": parcel["array"] * 2}


def fill(log: str, token: int, array: Array) -> int:
    """In place: the array is shared."""
    note_run(log, token)
    array[:] = token
    return token


def pass_back(log: str, token: int, array: Array) -> Any:
    """The array is given away by the caller, and given back."""
    note_run(log, token)
    array += 1
    return give(array)


def cooperate(log: str, token: int) -> NoReturn:
    """Ends when it is asked to, and only then."""
    note_run(log, token)
    while True:
        check_cancelled()
        time.sleep(0.001)


def items(log: str, token: int, count: int) -> Iterator[int]:
    note_run(log, token)
    for number in range(count):
        yield token + number
