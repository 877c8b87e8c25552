"""After fork() the inherited handles are dead, new ones work, the parent is undisturbed (§10)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.forks import (
    close_in_fork,
    fork,
    fork_often,
    outcomes_in_fork,
    start_program,
    use_new_objects_in_fork,
    use_new_objects_in_forks_of_forks,
    write_around_a_fork,
)
from puppets.pipes import next_message, receive, receive_many, receive_rest, wait_for

from mojo_seq import (
    DataPipe,
    MessagePipe,
    PeerClosedError,
    Signals,
    create_shared_buffer,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
PC = Signals.PEER_CLOSED

# Python 3.12 warns of forking a process that has threads, which is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.mark.parametrize("where", ["local", "remote"])
def test_inherited_handles_are_dead(
    child: Puppet, message_pipes: MessagePipes, data_pipes: DataPipes, where: str
) -> None:
    """Public contract §10: FAILED_PRECONDITION, naming the fork."""
    (a, b), (producer, far), (other, consumer) = message_pipes(), data_pipes(), data_pipes()
    buffer = create_shared_buffer(10)
    handles = [child.give(each) for each in (b, producer, consumer, buffer)]
    if where == "local":
        others = [child.give(each) for each in (a, far, other)]
        assert len(others) == 3
    found = child.call(outcomes_in_fork, *handles)
    assert found == dict.fromkeys(found, "names the fork")
    assert len(found) == 18


def test_closing_inherited_handles_does_nothing(
    child: Puppet, message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """Public contract §10: nothing in the parent is disturbed, nor at its peers."""
    (a, b), (c, d), (producer, consumer) = message_pipes(), message_pipes(), data_pipes()
    at_b, at_c, at_d = child.give(b), child.give(c), child.give(d)
    at_producer = child.give(producer)
    assert child.call(close_in_fork, [at_b, at_c, at_d, at_producer]) == [False] * 4
    a.write(b"remote")
    at_c.write(b"local")
    at_producer.write(b"bytes")
    assert child.call(receive, at_b) == b"remote"
    assert child.call(receive, at_d) == b"local"
    wait_for(consumer, Signals.READABLE)
    assert consumer.read() == b"bytes"
    assert not a.query_signals_state().peer_closed


def test_new_objects_work(child: Puppet) -> None:
    """Public contract §10, with an I/O thread and threads of its own."""
    assert child.call(use_new_objects_in_fork) == "all right"


def test_new_objects_work_in_forks_of_forks(child: Puppet) -> None:
    """Public contract §10, three generations down."""
    assert child.call(use_new_objects_in_forks_of_forks, 3) == "all right"


def test_closing_is_noticed_although_a_forked_process_lives(
    child: Puppet, message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """The forked process closes its copies of the descriptors."""
    (a, b), (producer, consumer) = message_pipes(), data_pipes()
    there, source = child.give(b), child.give(producer)
    forked = child.call(fork)
    there.close()
    source.close()
    wait_for(a, PC)
    wait_for(consumer, PC)
    forked.close()


def test_a_peer_that_closes_is_noticed_although_a_forked_process_lives(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """The other way round: the forking process is told of its peer's closing."""
    a, b = message_pipes()
    there = child.give(b)
    forked = child.call(fork)
    a.write(b"last words")
    a.close()
    child.call(wait_for, there, PC)
    assert child.call(receive, there) == b"last words"
    with pytest.raises(PeerClosedError):
        there.read()
    forked.close()


def test_the_death_of_a_process_is_noticed_although_one_it_forked_lives(
    puppets: Callable[[], Puppet], message_pipes: MessagePipes
) -> None:
    """System rules §13.6; the forked process ends by itself when its own pipe hangs up."""
    child = puppets()
    a, b = message_pipes()
    child.give(b)
    child.call(fork)
    child.kill()
    wait_for(a, PC)


def test_messages_on_their_way_are_not_disturbed(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """What the kernel has not taken yet is sent once, by the process that wrote it."""
    a, b = message_pipes()
    there = child.give(b)
    child.call(write_around_a_fork, there, 5_000)
    assert receive_many(a, 5_000) == [str(number).encode() * 200 for number in range(5_000)]
    there.close()
    with pytest.raises(PeerClosedError):
        next_message(a)


def test_forking_among_busy_threads(child: Puppet, message_pipes: MessagePipes) -> None:
    """No lock is left locked, whatever the other threads were in the middle of."""
    a, b = message_pipes()
    there = child.give(b)
    reader = threading.Thread(target=receive_rest, args=(a,))
    reader.start()
    assert child.call(fork_often, 30, there) == 30
    there.close()
    reader.join()


def test_a_program_inherits_nothing(
    child: Puppet, message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """Not even one that is started with all descriptors open: closing is noticed."""
    (a, b), (producer, consumer) = message_pipes(), data_pipes()
    there, source = child.give(b), child.give(producer)
    program = child.call(start_program)
    there.close()
    source.close()
    wait_for(a, PC)
    wait_for(consumer, PC)
    program.close()
