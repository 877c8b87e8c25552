"""Handles in messages, deep and many, and those that nobody receives (system rules §4.5)."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

from mojo_seq import (
    DataPipe,
    Message,
    MessagePipe,
    MessagePipeHandle,
    create_message_pipe,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]


def test_pipe_in_a_message_in_a_pipe(message_pipes: MessagePipes) -> None:
    """Public contract §10: to any depth."""
    bottom, carried = create_message_pipe()
    for _ in range(100):
        a, b = message_pipes()
        a.write(b"", [carried])
        a.close()
        carried = b
    for _ in range(100):
        with carried, carried.read() as message:
            (inner,) = message.take_handles()
        assert isinstance(inner, MessagePipeHandle)
        carried = inner
    with bottom, carried:
        bottom.write(b"deep")
        assert bytes(carried.read()) == b"deep"


def test_many_handles_in_one_message_keep_their_order(pipe: MessagePipe) -> None:
    """System rules §3: no limit that an ordinary program meets."""
    pipes = [create_message_pipe() for _ in range(1_000)]
    pipe.handle0.write(b"", (b for _, b in pipes))
    with pipe.handle1.read() as message:
        for index, ((a, _), received) in enumerate(zip(pipes, message.handles, strict=True)):
            assert isinstance(received, MessagePipeHandle)
            with a:
                a.write(str(index).encode())
                assert bytes(received.read()) == str(index).encode()


# ---- handles that nobody receives


def test_closing_the_carrier_closes_what_it_carries(message_pipes: MessagePipes) -> None:
    """System rules §4.5: unreceived handles never leak."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    c.close()
    assert not a.query_signals_state().peer_closed
    d.close()
    assert a.query_signals_state().peer_closed


def test_closing_the_carrier_closes_to_any_depth(message_pipes: MessagePipes) -> None:
    """System rules §2: attached handles are closed recursively."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    c.write(b"", [b])
    e.write(b"", [d])
    f.close()
    assert c.query_signals_state().peer_closed
    assert a.query_signals_state().peer_closed


def test_dropping_a_received_message_closes_its_handles(message_pipes: MessagePipes) -> None:
    """Public contract §3: by garbage collection, without a warning: the message owned them."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    message = d.read()
    assert len(message.handles) == 1
    del message
    gc.collect()
    assert a.query_signals_state().peer_closed


def test_abandoned_descriptors_are_closed(pipe: MessagePipe) -> None:
    """System rules §13.7, in one process."""
    read_fd, write_fd = os.pipe()
    pipe.handle0.write(b"", [wrap_fd(write_fd)])
    pipe.handle1.close()
    with os.fdopen(read_fd, "rb") as file:
        assert file.read() == b""  # end of file: nobody holds the write end


def test_closing_an_unwritten_message_closes_a_producer(data_pipes: DataPipes) -> None:
    """System rules §3."""
    producer, consumer = data_pipes()
    Message(b"", [producer]).close()
    assert consumer.query_signals_state().peer_closed
