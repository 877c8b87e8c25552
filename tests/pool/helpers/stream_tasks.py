"""What the tests of imap and stream run in workers."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
from executor_tasks import Unpicklable
from gate import announce, pass_through
from numpy.typing import NDArray
from pool_services import FailsToArrive

from mojo_seq import MessagePipeHandle, check_cancelled, create_message_pipe, current_task


def square(number: int) -> int:
    return number * number


def multiply(one: int, other: int) -> int:
    return one * other


def reciprocal(number: int) -> float:
    return 1 / number


def fill(number: int, nbytes: int) -> NDArray[np.uint8]:
    return np.full(nbytes, number % 256, np.uint8)


def die_at(number: int, fatal: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def square_or_wait(number: int, path: str) -> int:
    """All but 0 wait."""
    return square(number) if number == 0 else int(str(pass_through(path, number)))


def spin_until_cancelled(path: str) -> None:
    """Tells of both ends."""
    announce(path)
    try:
        while True:
            check_cancelled()
    finally:
        announce(path)


def report_and_wait(path: str) -> None:
    """Half of it is done."""
    current_task().report(1, 2)
    pass_through(path)


# --- generators ---


def count(end: int) -> Iterator[int]:
    yield from range(end)


def count_and_return(end: int, result: object) -> Any:
    yield from range(end)
    return result


def count_for_ever(path: str = "") -> Iterator[int]:
    """Announces that it was closed."""
    try:
        yield from itertools.count()
    finally:
        if path:
            announce(path)


def count_with_gate(path: str) -> Iterator[int]:
    """Stops at the gate before each item."""
    for number in itertools.count():
        pass_through(path)
        yield number


def announce_each(path: str) -> Iterator[int]:
    """Tells of each item that it is asked for."""
    for number in itertools.count():
        announce(path)
        yield number


def count_and_fail(end: int, error: Exception) -> Iterator[int]:
    yield from range(end)
    raise error


def count_and_die(end: int) -> Iterator[int]:
    yield from range(end)
    os.kill(os.getpid(), signal.SIGKILL)


def count_and_die_at_gate(end: int, path: str) -> Iterator[int]:
    yield from range(end)
    pass_through(path)
    os.kill(os.getpid(), signal.SIGKILL)


def yield_unpicklable(path: str) -> Iterator[object]:
    try:
        yield 1
        yield [Unpicklable()]
    finally:
        announce(path)


def yield_what_fails_to_arrive() -> Iterator[object]:
    yield 1
    yield FailsToArrive()
    yield 3


def yield_arrays(nbytes: int) -> Iterator[NDArray[np.uint8]]:
    for number in itertools.count():
        yield fill(number, nbytes)


def yield_pipes() -> Iterator[MessagePipeHandle]:
    """One end of each, with something in it."""
    for number in itertools.count():
        near, far = create_message_pipe()
        near.write(b"%d" % number)
        near.close()
        yield far


def never_yield(path: str) -> Iterator[int]:
    """Takes no notice of anything."""
    announce(path)
    while True:
        signal.pause()
    yield 0


def fail_when_closed() -> Iterator[int]:
    try:
        yield from itertools.count()
    finally:
        raise LookupError("when closed")


def ignore_being_closed(path: str) -> Iterator[int]:
    try:
        yield from itertools.count()
    except GeneratorExit:
        announce(path)
        yield -1


def yield_reports(path: str) -> Iterator[str]:
    current_task().report(1, 4)
    yield "a"
    current_task().report(3, 4)
    yield "b"
    pass_through(path)


def list_of(*items: object) -> list[object]:
    """No generator, but can be iterated over."""
    return list(items)


def cancelled_when_closed(path: str) -> Iterator[bool]:
    """Makes no item any more after the first, but looks."""
    yield True
    announce(path)
    while not current_task().cancelled:
        signal.sigtimedwait([], 0.005)
    announce(path)
    yield False
