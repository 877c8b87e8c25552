"""After how many messages a ring has paid for itself: why a pipe gets one when it does.

Fresh pipes to another process carry so many messages of 64 bytes each and are closed: by the socket
alone, and with rings from the first message on. A ring is memory that one side makes and both map,
and a descriptor that travels; it saves system calls. What is counted is the processor time of both
processes from the first message to the end of the pipe.

`_core/engine/hot_pipes.cc` has the threshold that follows from this.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat

from harness import Measure, main
from many_links import mojo_ends, take_mojo_ends
from verdict import Target

from mojo_seq import MessagePipeHandle, ShouldWaitError, wait
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, receive
from mojo_seq.cli.bench.placing import place, two_cores
from mojo_seq.cli.bench.scale import Scale, UnavailableError

PIPES = 400  # fewer than may have a ring at once
PAYLOAD = b"x" * 64
ALL_HERE = b"all here"
SOCKET, RINGS = "by the socket", "with rings"
MODES = ((SOCKET, "never"), (RINGS, "always"))
THRESHOLD = 64  # as in hot_pipes.cc


def read_all(pipe: MessagePipeHandle, core: int, pipes: int, messages: int) -> None:
    place(core)
    for end in take_mojo_ends(pipe, pipes):
        read = end.read
        for _ in repeat(None, messages):
            try:
                read()
            except ShouldWaitError:
                wait(end, READABLE)
                read()
        end.close()
        pipe.write(ALL_HERE)


def write_all(end: MessagePipeHandle, pipe: MessagePipeHandle, messages: int) -> None:
    """And waits until they are read, so that nobody is a pipe ahead."""
    write = end.write
    for _ in repeat(None, messages):
        write(PAYLOAD)
    receive(pipe).close()


def answer_all(pipe: MessagePipeHandle, core: int, pipes: int, messages: int) -> None:
    place(core)
    for end in take_mojo_ends(pipe, pipes):
        for _ in repeat(None, messages):
            end.write(receive(end).payload)
        end.close()


def ask_all(end: MessagePipeHandle, _pipe: MessagePipeHandle, messages: int) -> None:
    for _ in repeat(None, messages):
        end.write(PAYLOAD)
        receive(end).close()


Side = Callable[[MessagePipeHandle, int, int, int], None]
Use = Callable[[MessagePipeHandle, MessagePipeHandle, int], None]


def lifetime(mode: str, side: Side, use: Use, messages: int, scale: Scale) -> float:
    """Microseconds of processor time, of both processes, that one pipe takes."""
    os.environ["MOJO_SEQ_RINGS"] = mode  # nothing was sent yet, and the child inherits it
    here, there = two_cores()
    pipes = scale.n(PIPES)
    with mojo_child(side, there, pipes, messages) as pipe:
        place(here)
        ends = mojo_ends(pipe, pipes)
        with scale.counting_cpu(pipes):
            for end in ends:
                use(end, pipe, messages)
                end.close()
    if scale.cpu is None:
        raise UnavailableError("needs the processor time of other processes")
    return scale.cpu * 1e6


MEASURES = tuple(
    Measure(
        f"a pipe with {messages} x 64 B {what}",
        "us of processor time",
        tuple(
            Contender(name, partial(lifetime, mode, side, use, messages)) for name, mode in MODES
        ),
        (Target.within(RINGS, SOCKET, factor),),
    )
    for what, side, use in (
        ("one way", read_all, write_all),
        ("and as many answers", answer_all, ask_all),
    )
    for messages, factor in ((1, 4), (THRESHOLD // 4, 2), (THRESHOLD, 1), (THRESHOLD * 4, 0.75))
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
