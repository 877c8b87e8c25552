"""Signals of message pipes in each of their states, and of handles without signals (§8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import IntFlag
from typing import NamedTuple

import pytest

from mojo_seq import (
    Handle,
    InvalidArgumentError,
    MessagePipe,
    Signals,
    Watcher,
    create_message_pipe,
    create_shared_buffer,
    wrap_fd,
)

NONE = Signals.NONE
R = Signals.READABLE
W = Signals.WRITABLE
PC = Signals.PEER_CLOSED
PR = Signals.PEER_REMOTE


class Scene(NamedTuple):
    """A handle brought into some state, and what has to stay alive for it to stay there."""

    handle: Handle
    others: tuple[Handle, ...] = ()


# ---- message pipe endpoints (§8.1)


def pipe_idle() -> Scene:
    a, b = create_message_pipe()
    return Scene(a, (b,))


def pipe_with_message() -> Scene:
    a, b = create_message_pipe()
    b.write(b"x")
    return Scene(a, (b,))


def pipe_that_wrote() -> Scene:
    a, b = create_message_pipe()
    for _ in range(1000):  # no back-pressure: however many are queued, it stays writable
        a.write(b"x")
    return Scene(a, (b,))


def pipe_emptied() -> Scene:
    a, b = create_message_pipe()
    b.write(b"x")
    a.read().close()
    return Scene(a, (b,))


def pipe_peer_closed_with_message() -> Scene:
    a, b = create_message_pipe()
    b.write(b"x")
    b.close()
    return Scene(a)


def pipe_peer_closed_drained() -> Scene:
    a, b = create_message_pipe()
    b.write(b"x")
    b.close()
    a.read().close()
    return Scene(a)


def pipe_peer_sent_over_a_local_pipe() -> Scene:
    """Sending a pipe over a local pipe does not make it remote."""
    a, b = create_message_pipe()
    carrier, far = create_message_pipe()
    carrier.write(b"", [b])
    return Scene(a, (carrier, far))


def pipe_peer_was_received() -> Scene:
    a, b = create_message_pipe()
    carrier, far = create_message_pipe()
    carrier.write(b"", [b])
    (received,) = far.read().take_handles()
    return Scene(a, (carrier, far, received))


PIPE = R | W | PC | PR

TABLE: list[tuple[Callable[[], Scene], Signals, Signals]] = [
    (pipe_idle, W, PIPE),
    (pipe_with_message, R | W, PIPE),
    (pipe_that_wrote, W, PIPE),
    (pipe_emptied, W, PIPE),
    (pipe_peer_closed_with_message, R | PC, R | PC),
    (pipe_peer_closed_drained, PC, PC),
    (pipe_peer_sent_over_a_local_pipe, W, PIPE),
    (pipe_peer_was_received, W, PIPE),
]


@pytest.mark.parametrize(
    ("build", "satisfied", "satisfiable"), TABLE, ids=[row[0].__name__ for row in TABLE]
)
def test_signals_of_each_state(
    build: Callable[[], Scene], satisfied: Signals, satisfiable: Signals, closing: list[Handle]
) -> None:
    """System rules §8.1, row by row."""
    scene = build()
    closing.extend((*scene.others, scene.handle))
    state = scene.handle.query_signals_state()
    assert (state.satisfied, state.satisfiable) == (satisfied, satisfiable)


def unwatchable_handles() -> list[Handle]:
    return [
        create_shared_buffer(1),
        wrap_fd(os.open("/dev/null", os.O_RDONLY)),
        Watcher(lambda *_: None),
    ]


def test_other_handles_have_no_signals(closing: list[Handle]) -> None:
    """System rules §8.4 and §2: the query works and answers {0, 0}."""
    closing.extend(unwatchable_handles())
    states = [handle.query_signals_state() for handle in closing]
    assert [(s.satisfied, s.satisfiable) for s in states] == [(NONE, NONE)] * 3


def test_query_on_a_closed_handle_raises(pipe: MessagePipe) -> None:
    """System rules §2."""
    pipe.handle0.close()
    with pytest.raises(InvalidArgumentError):
        pipe.handle0.query_signals_state()


def test_signals_flags_have_the_documented_values() -> None:
    """System rules §1."""
    assert issubclass(Signals, IntFlag)
    values = {flag.name: flag.value for flag in Signals}
    assert values == {
        "READABLE": 1,
        "WRITABLE": 2,
        "PEER_CLOSED": 4,
        "NEW_DATA_READABLE": 8,
        "PEER_REMOTE": 16,
    }
    assert int(Signals.NONE) == 0
