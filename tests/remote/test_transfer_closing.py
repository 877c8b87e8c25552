"""A peer that closes while the end is on its way is noticed by every means (rules §13.11)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.closures import (
    by_polling_read,
    by_polling_write,
    by_simple_watcher,
    by_wait,
    by_wait_many,
    by_watcher,
    close_each,
    notice_each,
    send_each,
)

from mojo_seq import Handle, MessagePipe, create_data_pipe, create_message_pipe

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]
COUNT = 60

MEANS = {
    "wait": by_wait,
    "wait_many": by_wait_many,
    "watcher": by_watcher,
    "simple watcher": by_simple_watcher,
    "polling read": by_polling_read,
    "polling write": by_polling_write,
}
CASES = [
    (kind, means)
    for kind in ("message pipe", "producer", "consumer")
    for means in MEANS
    if (kind, means) not in {("producer", "polling read"), ("consumer", "polling write")}
]
cases = pytest.mark.parametrize(("kind", "means"), CASES)


def make(kind: str) -> tuple[Handle, Handle]:
    """The end that moves, and the one that is closed."""
    if kind == "message pipe":
        return create_message_pipe()
    producer, consumer = create_data_pipe(16)
    return (producer, consumer) if kind == "producer" else (consumer, producer)


@cases
def test_closed_here_while_it_goes_there(
    child: Puppet, message_pipes: MessagePipes, kind: str, means: str
) -> None:
    """System rules §13.11: one thread sends the ends, another closes their peers."""
    carrier, far = message_pipes()
    there = child.give(far)
    moving, closed = zip(*(make(kind) for _ in range(COUNT)), strict=True)
    child.begin(notice_each, there, COUNT, MEANS[means])
    closer = threading.Thread(target=close_each, args=(list(closed), 1))
    closer.start()
    send_each(carrier, list(moving), 2)
    closer.join()
    child.finish()


@cases
def test_closed_in_another_process_while_it_goes_on(
    puppets: Puppets, message_pipes: MessagePipes, kind: str, means: str
) -> None:
    """System rules §13.11: three processes: one closes, one sends on, one notices."""
    closer, sender, noticer = puppets(), puppets(), puppets()
    carrier, far = message_pipes()
    source, sink = sender.give(carrier), noticer.give(far)
    pairs = [make(kind) for _ in range(COUNT)]
    moving = [sender.give(each) for each, _ in pairs]
    closed = [closer.give(each) for _, each in pairs]
    noticer.begin(notice_each, sink, COUNT, MEANS[means])
    closer.begin(close_each, closed, 3)
    sender.begin(send_each, source, moving, 4)
    for each in (closer, sender, noticer):
        each.finish()


@cases
def test_its_owner_is_killed_while_it_goes_on(
    puppets: Puppets, message_pipes: MessagePipes, kind: str, means: str
) -> None:
    """System rules §13.6, §13.11: closing by dying."""
    victim, sender, noticer = puppets(), puppets(), puppets()
    carrier, far = message_pipes()
    source, sink = sender.give(carrier), noticer.give(far)
    pairs = [make(kind) for _ in range(COUNT)]
    moving = [sender.give(each) for each, _ in pairs]
    for _, each in pairs:
        victim.give(each)
    noticer.begin(notice_each, sink, COUNT, MEANS[means])
    sender.begin(send_each, source, moving, 5)
    victim.kill()
    sender.finish()
    noticer.finish()
