"""What the tests of the pool as an executor run in its workers, and objects that go there."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pickle import PicklingError, UnpicklingError
from typing import Any, NoReturn

from gate import AnnouncesItsEnd

from mojo_seq import ProcessPool

initialized_with: list[object] = []


def multiply(x: int, y: int) -> int:
    return x * y


def capture(*args: object, **kwargs: object) -> tuple[tuple[object, ...], dict[str, object]]:
    return args, kwargs


def pid_of(_: object = None) -> int:
    return os.getpid()


def parent_pid() -> int:
    return os.getppid()


def on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def divide(x: int, y: int) -> float:
    return x / y  # this line is seen in tracebacks


def fail(error: type[BaseException], *args: object) -> NoReturn:
    raise error(*args)


def fail_chained() -> NoReturn:
    try:
        raise KeyError("the first")
    except KeyError as error:
        raise ValueError("the second") from error


def size_of(data: bytes) -> int:
    return len(data)


def make_bytes(size: int) -> bytes:
    return bytes(size)


def call(function: Callable[..., object], *args: object) -> object:
    return function(*args)


# --- deaths ---


def die_by_segfault(*_: object) -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError("survived")


def die_by_abort(*_: object) -> NoReturn:
    os.abort()


def die_by_kill(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived")


def die_by_exit(code: int = 3, *_: object) -> NoReturn:
    os._exit(code)


def die_with_words(*lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.stderr.flush()
    os._exit(4)


def die_unless_there(path: str, value: object) -> object:
    """The first run dies, the next one does not."""
    if os.path.exists(path):
        return value
    with open(path, "x"):
        os._exit(5)


def count_and_die(path: str) -> NoReturn:
    """Leaves a byte for each run."""
    with open(path, "ab") as file:
        file.write(b".")
    os._exit(6)


# --- objects ---


class Counter:
    """Has methods of all kinds."""

    start = 100

    def __init__(self, count: int) -> None:
        self.count = count

    def plus(self, amount: int) -> int:
        return self.count + amount

    @classmethod
    def from_start(cls, amount: int) -> Counter:
        return cls(cls.start + amount)

    @staticmethod
    def twice(amount: int) -> int:
        return 2 * amount

    def __call__(self, amount: int) -> int:
        return self.count * amount


class Referenced:
    """A weak reference to it can be had."""

    def method(self) -> None:
        """Does nothing."""

    def __call__(self) -> None:
        """Does nothing."""


def make_referenced(_: object) -> Referenced:
    return Referenced()


class Unpicklable:
    """Cannot be pickled."""

    def __reduce__(self) -> NoReturn:
        raise PicklingError("not to be pickled")


class TroubleAtPickle:
    """Calls a function when it is pickled."""

    def __init__(self, trouble: Callable[[], object]) -> None:
        self.trouble = trouble

    def __reduce__(self) -> tuple[Any, ...]:
        self.trouble()
        return str, ()


class TroubleAtUnpickle:
    """Calls a function when it is unpickled, but not in the process that has made it, if told."""

    def __init__(self, trouble: Callable[[], object]) -> None:
        self.trouble = trouble

    def __reduce__(self) -> tuple[Any, ...]:
        return self.trouble, ()


class UnpicklableError(Exception):
    """An exception with something in it that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("with a lock")
        self.lock = threading.Lock()


class OneArgumentError(Exception):
    """An exception of our own, to which weak references can be had."""


class OneWayError(Exception):
    """Can be pickled, but not unpickled: `__init__` wants what `args` does not have."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def make_announcer(path: str) -> AnnouncesItsEnd:
    return AnnouncesItsEnd(path, os.getppid())


def make(kind: Callable[..., object], *args: object) -> object:
    return kind(*args)


raise_at_pickle = partial(fail, PicklingError, "not to be pickled")
fail_with_interrupt = partial(fail, KeyboardInterrupt)
raise_at_unpickle = partial(fail, UnpicklingError, "not to be unpickled")
exit_python = partial(sys.exit, 1)


current_pool: ProcessPool | None = None  # of the test


def submit_to_current_pool() -> str:
    if current_pool is not None:  # not in a worker
        current_pool.submit(len, "abc")
    return "submitted"


def make_closure() -> Callable[[], object]:
    return lambda: 5


def die_leaving_a_program_behind() -> NoReturn:
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(program.pid, file=sys.stderr, flush=True)
    os._exit(8)


def fork_and_return(value: object) -> object:
    """The child ends at once, by its own end of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    return value


def append_line(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


_open_files: dict[str, int] = {}


def note(path: str, text: str) -> None:
    """As append_line, and so short that a worker is given many at once."""
    descriptor = _open_files.get(path)
    if descriptor is None:
        descriptor = _open_files[path] = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, f"{text}\n".encode())


def refuse_thread(_: threading.Thread) -> NoReturn:
    raise RuntimeError("can't start new thread")


def use_inner_pool(number: int) -> int:
    with ProcessPool(1) as pool:
        return pool.submit(multiply, number, number).result()


def leave_inner_pool() -> set[int]:
    """The processes of a pool that goes on as long as this one does."""
    global current_pool
    current_pool = ProcessPool(1)
    return {os.getpid(), current_pool.submit(os.getpid).result()}


def print_to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


def log_warning(text: str) -> None:
    logging.getLogger("tasks").warning(text)


# --- initializers ---


def initialize(*values: object) -> None:
    initialized_with.extend(values)


def get_initialized() -> list[object]:
    return initialized_with


def fail_to_initialize(text: str) -> NoReturn:
    raise ValueError(text)


def exit_initializing(code: int) -> NoReturn:
    sys.exit(code)


def die_initializing() -> NoReturn:
    os._exit(9)


def fail_if_there(path: str) -> None:
    if os.path.exists(path):
        raise LookupError(path)
