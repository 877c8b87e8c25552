"""What children do with arrays that they are sent: a loop of calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from mojo_seq import MessagePipeHandle, PeerClosedError, Signals, _core, wait
from mojo_seq.process import give, memory_statistics, shared_array, spawn_arguments
from mojo_seq.process.object_codec import decode, encode

Array = np.ndarray[Any, np.dtype[Any]]
kept: list[Any] = []


def serve(pipe: MessagePipeHandle, *args: Any) -> None:
    """Calls what it is sent, and sends the result."""
    kept.extend(args)
    while True:
        wait(pipe, Signals.READABLE)
        try:
            message = pipe.read()
        except PeerClosedError:
            break
        function, arguments, read_only = decode(message)
        result = function(*arguments)
        del arguments
        encode(result, read_only=read_only).write_to(pipe)
        del result
    kept.clear()


def call(
    pipe: MessagePipeHandle, function: Callable[..., Any], *arguments: Any, read_only: bool = False
) -> Any:
    """The test's side of it."""
    encode((function, arguments, read_only), read_only=read_only).write_to(pipe)
    del arguments
    wait(pipe, Signals.READABLE, 30.0)
    return decode(pipe.read())


def fill(array: Array, value: float) -> None:
    array[...] = value


def same(obj: Any) -> Any:
    return obj


def add_to(part: Array, whole: Array, ones: Array) -> None:
    """Parts and the whole are the same memory; the ordinary ones are this process's."""
    ones += 1
    before = whole[1, 0]
    part += 1
    assert whole[1, 0] == before + 1 and (ones == 2).all()


def given_back(array: Array) -> Any:
    return give(array)


def total(array: Array) -> float:
    return float(array.sum())


def is_writable(array: Array) -> bool:
    return bool(array.flags.writeable)


def keep(*objects: Any) -> int:
    kept.extend(objects)
    return len(kept)


def forget() -> None:
    kept.clear()


def fill_kept(index: int, value: float) -> None:
    kept[index][...] = value


def made_here(count: int) -> Array:
    array = shared_array(count)
    array[:] = np.arange(count)
    return array


def statistics() -> tuple[int, ...]:
    return tuple(memory_statistics())


def release() -> None:
    _core.release_cached_memory()


def faults() -> int:
    """Pages that this process had to be given since it began."""
    with open(f"/proc/{os.getpid()}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[7])


def run_packed(pipe: MessagePipeHandle, packed: spawn_arguments.Packed) -> None:
    """Makes a call that several processes make."""
    target, args = spawn_arguments.Arguments(packed, []).load()
    target(*args)
