"""What started processes run: they have no actor system, but are given refs."""

from __future__ import annotations

import os
import threading
from typing import Any

from mojo_seq import ActorRef, MessagePipeHandle, Signals, wait
from mojo_seq.process.object_codec import encode


def report(pipe: MessagePipeHandle, ref: ActorRef[Any], method: str, *args: Any) -> None:
    """Sends back the outcome of an ask."""
    try:
        outcome = ref.ask(method, *args).result(10)
    except Exception as error:
        outcome = error
    encode((os.getpid(), outcome)).write_to(pipe)


def ask_and_report(pipe: MessagePipeHandle, ref: ActorRef[Any], count: int) -> None:
    """Asks again and again, and sends back the last answer."""
    answer = None
    for _ in range(count):
        answer = ref.add(1).result(10)
    encode(answer).write_to(pipe)


def ask_over_pipe(pipe: MessagePipeHandle) -> None:
    """Gets a ref as a raw message, asks, and sends the ref back the same way; then, what threads
    there are when it is gone."""
    wait(pipe, Signals.READABLE)
    ref = ActorRef.from_message(pipe.read())
    answer = ref.add(5).result(10)
    encode((answer, repr(ref))).write_to(pipe)
    pipe.write_message(ref.to_message())
    del ref
    encode([thread.name for thread in threading.enumerate()]).write_to(pipe)


def run_in_multiprocessing(ref: ActorRef[Any], count: int) -> None:
    """A target for multiprocessing.Process."""
    for _ in range(count):
        ref.add(1).result(10)
