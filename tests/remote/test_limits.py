"""Descriptors run out: nothing is lost, nothing hangs (public contract §1; ResourceExhausted)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from puppets import Puppet, Remote
from puppets.handles import DIRECTIONS, make
from puppets.limits import (
    echo_on_each,
    fill,
    idle_time,
    limit,
    lose_privileges,
    receive_from_pipes,
    send_many_pipes,
    send_pipes,
    set_limit,
    try_to_read,
    try_to_write,
)
from puppets.pipes import receive, receive_many, wait_for
from puppets.puppet import itself

from mojo_seq import (
    Handle,
    MessagePipe,
    ResourceExhaustedError,
    Signals,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]


def numbers(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


# ---- many pipes


def test_two_thousand_pipes_at_a_limit_of_1024() -> None:
    """The soft limit is raised to the hard one when pipes need it, on both sides, not before."""
    hard = limit()[1]
    assert hard > 2_100, "needs a hard limit of descriptors above that"
    command = f"ulimit -Sn 1024; exec {sys.executable} -W error -m puppets.many_pipes 2000"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "at first: 1024",
        f"with 2000 pipes: {hard}",
        f"a child, with 2000 pipes: {hard}",
        "all of them work",
    ]


@pytest.mark.timeout(300)
def test_ten_thousand_pipes(child: Puppet, message_pipes: MessagePipes) -> None:
    """All of them open at once, and in use."""
    assert limit()[1] >= 11_000, "needs a hard limit of descriptors of 11,000"
    pipes = [message_pipes() for _ in range(10_000)]
    far: list[Remote] = []
    for start in range(0, 10_000, 500):
        pairs = pipes[start : start + 500]
        far += child.call(itself, [b for _, b in pairs])
    child.begin(echo_on_each, far)
    for number, (a, _) in enumerate(pipes):
        a.write(str(number).encode())
    for number, (a, _) in enumerate(pipes):
        assert receive(a) == str(number).encode()
    child.finish()


@pytest.mark.parametrize("reading", ["at once", "later"])
def test_two_thousand_pipes_pass_through_an_unprivileged_process(
    puppets: Puppets, pipe: MessagePipe, reading: str
) -> None:
    """At a hard limit of 1,024: what is in flight counts, too, and has to wait for the reader."""
    sender, reader = puppets(), puppets()
    source, sink = sender.give(pipe.handle0), reader.give(pipe.handle1)
    sender.call(set_limit, 1_024, 1_024)
    sender.call(lose_privileges)
    if reading == "later":
        sender.call(send_pipes, source, 700)
        sender.begin(send_pipes, source, 1_300)
        reader.begin(receive_from_pipes, sink, 2_000)
        sender.finish()
        assert reader.finish() == numbers(0, 700) + numbers(0, 1_300)
    else:
        reader.begin(receive_from_pipes, sink, 2_000)
        sender.call(send_pipes, source, 2_000)
        assert reader.finish() == numbers(0, 2_000)


def test_more_in_flight_than_the_kernel_allows(puppets: Puppets, pipe: MessagePipe) -> None:
    """ETOOMANYREFS is no error: the messages wait here, and go out when others have arrived."""
    sender, reader = puppets(), puppets()
    source, sink = sender.give(pipe.handle0), reader.give(pipe.handle1)
    sender.call(set_limit, 1_024, 1_024)
    sender.call(lose_privileges)
    sender.call(send_many_pipes, source, 4, 400)  # 1,600, nobody reads
    source.write(b"last")
    assert reader.call(receive_from_pipes, sink, 1_600) == numbers(0, 1_600)
    assert reader.call(receive, sink) == b"last"


# ---- a receiver without room


@pytest.mark.parametrize("kind", DIRECTIONS)
def test_a_receiver_without_room_loses_nothing(
    child: Puppet, pipe: MessagePipe, closing: list[Handle], kind: str
) -> None:
    """RESOURCE_EXHAUSTED, as often as it is tried; when there is room, all is there, in order."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 0)
    made = [make(kind) for _ in range(10)]
    closing += [other for _, other in made]
    pipe.handle0.write(b"before")
    pipe.handle0.write(b"with handles", [traveller for traveller, _ in made])
    pipe.handle0.write(b"after")
    assert child.call(receive, there) == b"before"
    for _ in range(3):
        assert child.call(wait_for, there, Signals.READABLE).readable
        assert child.call(try_to_read, there) == "ResourceExhaustedError"
    filler.close()
    message = child.call(try_to_read, there)
    assert child.call(bytes, message) == b"with handles"
    assert len(message.take_handles()) == 10
    assert child.call(receive, there) == b"after"


def test_a_receiver_with_too_little_room(
    child: Puppet, pipe: MessagePipe, closing: list[Handle]
) -> None:
    """All handles of a message or none: some would fit."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 8)
    pairs = [create_message_pipe() for _ in range(20)]
    closing += [a for a, _ in pairs]
    pipe.handle0.write(b"", [b for _, b in pairs])
    pipe.handle0.write(b"after")
    assert child.call(try_to_read, there) == "ResourceExhaustedError"
    filler.close()
    message = child.call(try_to_read, there)
    arrived = message.take_handles()
    for number, ((a, _), end) in enumerate(zip(pairs, arrived, strict=True)):
        a.write(str(number).encode())
        assert child.call(receive, end) == str(number).encode()
    assert child.call(receive, there) == b"after"


def test_a_receiver_without_room_and_a_large_message(child: Puppet, pipe: MessagePipe) -> None:
    """Its memory comes with a descriptor."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 0)
    pipe.handle0.write(bytes(1_000_000))
    assert child.call(try_to_read, there) == "ResourceExhaustedError"
    filler.close()
    assert child.call(receive, there) == bytes(1_000_000)


def test_a_receiver_without_room_does_not_spin(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    """The message stays in the socket, which stays readable; nobody runs in circles for it."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 0)
    pipe.handle0.write(b"", [message_pipes().handle1])
    assert child.call(try_to_read, there) == "ResourceExhaustedError"
    assert child.call(idle_time, 0.5) < 0.25
    filler.close()


def test_a_receiver_without_room_sees_the_end_after_the_message(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    """System rules §13.4: the writer may be gone when there is room at last."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 0)
    a, b = message_pipes()
    pipe.handle0.write(b"", [b])
    pipe.handle0.write(b"last words")
    pipe.handle0.close()
    assert child.call(try_to_read, there) == "ResourceExhaustedError"
    filler.close()
    (end,) = child.call(try_to_read, there).take_handles()
    assert child.call(receive_many, there, 1) == [b"last words"]
    a.write(b"x")
    assert child.call(receive, end) == b"x"


# ---- a sender without room


def test_a_sender_without_room_keeps_its_handles(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §1: a pipe that would become a socket, and there are none."""
    there = child.give(pipe.handle1)
    ends = [child.call(create_message_pipe) for _ in range(3)]
    filler = child.call(fill, 0)
    handles = [b for _, b in ends]
    assert child.call(try_to_write, there, 1, handles) == "ResourceExhaustedError"
    a, b = ends[0]
    a.write(b"works")
    assert child.call(receive, b) == b"works"
    filler.close()
    assert child.call(try_to_write, there, 2, handles) == "ok"
    wait_for(pipe.handle0, Signals.READABLE)
    with pipe.handle0.read() as message:
        assert len(message) == 2 and len(message.handles) == 3


def test_a_sender_without_room_can_write_much(child: Puppet, pipe: MessagePipe) -> None:
    """There is no shared memory to be had, so it goes through the socket."""
    there = child.give(pipe.handle1)
    filler = child.call(fill, 0)
    assert child.call(try_to_write, there, 1_000_000, []) == "ok"
    assert receive(pipe.handle0) == bytes(1_000_000)
    filler.close()


def test_making_pipes_without_room(child: Puppet) -> None:
    """Public contract §1: those in one process need no descriptor; shared memory does."""
    child.call(itself, [make, receive])  # imported now, for that takes descriptors, too
    with pytest.raises(ValueError):
        child.call(make, "nothing")  # as is what an error takes
    filler = child.call(fill, 0)
    a, b = child.call(create_message_pipe)
    a.write(b"x")
    assert child.call(receive, b) == b"x"
    for kind in ("producer", "shared buffer"):
        with pytest.raises(ResourceExhaustedError):
            child.call(make, kind)
    filler.close()
