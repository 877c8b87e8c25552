"""What was written before a clean exit is delivered; after 5 s the exit goes on, and tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from puppets import TIMEOUT, Puppet
from puppets.exits import (
    COUNT,
    payload,
    write_and_stay_open,
    write_much,
    write_much_in_a_thread,
    write_pipes,
    write_to_many,
)
from puppets.pipes import count_rest, next_message, receive, receive_rest, wait_for
from puppets.streams import fill_up

from mojo_seq import (
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    create_data_pipe,
    create_message_pipe,
    spawn_process,
)

MessagePipes = Callable[[], MessagePipe]
WAYS = {"return": 0, "sys.exit(0)": 0, "sys.exit(3)": 3, "exception": 1}


@pytest.fixture(autouse=True)
def forget_logs(
    caplog: pytest.LogCaptureFixture, nothing_left_between_processes: None
) -> Iterator[None]:
    """Before what is left is counted: logged tracebacks refer to tests' objects."""
    yield
    caplog.get_records("call").clear()


def check_all(pipe: MessagePipeHandle) -> None:
    for number in range(COUNT):
        assert receive(pipe) == payload(number)
    with pytest.raises(PeerClosedError):
        next_message(pipe)


@pytest.mark.parametrize("close", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("way", WAYS)
def test_all_is_delivered(
    way: str, close: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """However the program ends, 10 MiB and a reader that begins when it has ended its work."""
    with spawn_process(write_much, way, close) as child:
        child.pipe.write(b"go")
        check_all(child.pipe)
        assert child.wait(TIMEOUT) == WAYS[way]
    assert capfd.readouterr().err == ""
    assert ("ZeroDivisionError" in caplog.text) == (way == "exception")


def test_a_program_that_ends_at_once_does_not(capfd: pytest.CaptureFixture[str]) -> None:
    """os._exit is not a clean exit: a part arrives, whole and in order, and then the end."""
    with spawn_process(write_much, "os._exit", False) as child:
        child.pipe.write(b"go")
        received = receive_rest(child.pipe)
        assert received == [payload(number) for number in range(len(received))]
        assert child.wait(TIMEOUT) == 5


def test_a_thread_has_written(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote it; daemon threads that go on writing do no harm."""
    with spawn_process(write_much_in_a_thread) as child:
        check_all(child.pipe)
        assert child.wait(TIMEOUT) == 0
    assert capfd.readouterr().err == ""


def test_handles_are_delivered() -> None:
    """With what was written to their peers, which nobody closed."""
    with spawn_process(write_pipes, 200) as child:
        for number in range(200):
            with next_message(child.pipe) as message:
                assert bytes(message) == payload(number)
                (end,) = message.take_handles()
            assert isinstance(end, MessagePipeHandle)
            with end:
                assert receive_rest(end) == [str(number).encode()]
        assert child.wait(TIMEOUT) == 0


def test_many_pipes_are_delivered(message_pipes: MessagePipes) -> None:
    """Their readers come one after the other."""
    pipes = [message_pipes() for _ in range(8)]
    with spawn_process(write_to_many, *(b for _, b in pipes)) as child:
        for a, _ in reversed(pipes):
            check_all(a)
        assert child.wait(TIMEOUT) == 0


def test_to_another_child() -> None:
    """The reader may be any process; here it is one that outlives the writer."""
    a, b = create_message_pipe()
    reader = Puppet()
    there = reader.give(b)
    with spawn_process(write_to_many, a) as child:
        received = reader.call(receive_rest, there)
        assert received == [payload(number) for number in range(COUNT)]
        assert child.wait(TIMEOUT) == 0
    reader.close()


@pytest.mark.parametrize("code", [0, 3])
def test_a_reader_that_does_not_read(
    message_pipes: MessagePipes, capfd: pytest.CaptureFixture[str], code: int
) -> None:
    """It keeps nobody for ever: after the deadline the exit goes on, and tells what was lost."""
    a, b = message_pipes()
    with spawn_process(write_and_stay_open, b, code) as child:
        assert receive(child.pipe) == b"written"
        assert child.wait(TIMEOUT) == code
        told = capfd.readouterr().err.splitlines()
        assert len(told) == 1
        found = re.search(r"mojo_seq: (\d+) messages .*\b1 pipe", told[0])
        assert found, told
        received = receive_rest(a)
        assert received == [payload(number) for number in range(len(received))]
        assert len(received) + int(found[1]) == COUNT


def test_a_reader_that_is_killed_is_not_waited_for(
    message_pipes: MessagePipes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its pipe is closed, so nothing can be lost any more, and nothing is told."""
    a, b = message_pipes()
    reader = Puppet()
    reader.give(a)
    with spawn_process(write_and_stay_open, b, 0) as child:
        assert receive(child.pipe) == b"written"
        reader.kill()
        assert child.wait(TIMEOUT) == 0
    reader.close()
    assert capfd.readouterr().err == ""


def test_leaving_the_block_lets_the_child_read_on(message_pipes: MessagePipes) -> None:
    """Public contract §10: it closes the pipe and waits: what was written before is read."""
    a, b = message_pipes()
    with spawn_process(count_rest, b) as child:
        for number in range(COUNT):
            child.pipe.write(payload(number))
    assert child.exitcode == 0
    assert receive(a) == str(COUNT).encode()


def test_bytes_in_a_data_pipe_stay() -> None:
    """System rules §5.5: they are in shared memory, and need nobody to send them."""
    producer, consumer = create_data_pipe(100_000)
    with consumer, spawn_process(fill_up, producer) as child:
        assert child.wait(TIMEOUT) == 0
        wait_for(consumer, Signals.PEER_CLOSED)
        assert consumer.read() == bytes(100_000)
        with pytest.raises(PeerClosedError):
            consumer.read()
