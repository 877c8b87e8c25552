"""What the tests run in other processes to see what becomes of their log."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from typing import Any

from mojo_seq import (
    MessagePipeHandle,
    Signals,
    wait,
)


def log_all(pipe: MessagePipeHandle, records: list[tuple[str, int, str, tuple[Any, ...]]]) -> None:
    for name, level, text, args in records:
        logging.getLogger(name).log(level, text, *args)


class Unpicklable:
    """Says what it is."""

    def __repr__(self) -> str:
        return "<unpicklable>"

    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


def log_everything(pipe: MessagePipeHandle) -> None:
    """One record of each kind."""
    logger = logging.getLogger("child.kinds")
    logger.setLevel(logging.DEBUG)
    logger.debug("plain %d %s", 1, "two", extra={"number": 7, "thing": Unpicklable()})
    logger.info("mapping %(key)s", {"key": "value"})
    logger.warning("object %s", Unpicklable())
    logger.error(Unpicklable())
    try:
        raise ValueError("in the child")
    except ValueError:
        logger.exception("caught")
    logger.critical("with a stack", stack_info=True)


def log_and_wait(pipe: MessagePipeHandle, name: str) -> None:
    logging.getLogger(name).warning("early")
    wait(pipe, Signals.PEER_CLOSED)


def log_many(pipe: MessagePipeHandle, count: int) -> None:
    logger = logging.getLogger("many")
    for number in range(count):
        logger.warning("%d", number)


def answer_levels(pipe: MessagePipeHandle, names: list[str]) -> None:
    levels = {name: logging.getLogger(name).level for name in names}
    pipe.write(repr((logging.root.level, levels, logging.root.manager.disable)).encode())


def warn(pipe: MessagePipeHandle) -> None:
    warnings.simplefilter("always")
    warnings.warn("look out", stacklevel=1)


def fail_in_a_thread(pipe: MessagePipeHandle) -> None:
    def work() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()


def exit_in_a_thread(pipe: MessagePipeHandle) -> None:
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()


class _BadFinalizer:
    def __del__(self) -> None:
        raise ValueError("in a finalizer")


def fail_in_a_finalizer(pipe: MessagePipeHandle) -> None:
    _BadFinalizer()


def log_in_a_fork(pipe: MessagePipeHandle) -> None:
    pid = os.fork()
    if pid == 0:
        logging.getLogger("forked").warning("from the fork")
        sys.stderr.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    logging.getLogger("forked").warning("from the child")


def take_over_logging(pipe: MessagePipeHandle) -> None:
    """What a program does that knows nothing of a parent."""
    logging.basicConfig(force=True, level=logging.CRITICAL)
    logging.getLogger("mojo_seq").disabled = True
    raise ValueError("told all the same")
