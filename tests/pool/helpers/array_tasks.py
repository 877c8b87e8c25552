"""Tasks that do things with arrays."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

import numpy as np

from mojo_seq.process import give, shared_array

kept: list[Any] = []


def is_writable(obj: Any) -> bool:
    array = obj["deep"][0] if isinstance(obj, dict) else obj
    return bool(array.flags.writeable)


def same(array: Any) -> Any:
    return array


def fill(array: Any, value: float) -> None:
    array[...] = value


def fill_and_tell(array: Any, value: float) -> int:
    array[...] = value
    return os.getpid()


def negative(array: Any) -> Any:
    array *= -1
    return give(array)


def made_here(count: int) -> Any:
    return shared_array(count)


def made_by_value(count: int) -> Any:
    return np.zeros(count)


def keep_and_die(*objects: Any) -> None:
    kept.extend(objects)
    os.kill(os.getpid(), signal.SIGKILL)


def die_first(shared: Any, array: Any, given: Any) -> tuple[float, Any]:
    """The first time it only says that it was here."""
    if shared[0] == 0:
        shared[0] = 1
        os.kill(os.getpid(), signal.SIGKILL)
    return float(array.sum()), given


def faults() -> int:
    """Pages that this process had to be given since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
