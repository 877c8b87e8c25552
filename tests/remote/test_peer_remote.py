"""PEER_REMOTE: up when the peer leaves the process, down when it is back (rules §8.1, §13.2)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from puppets import Puppet
from puppets.pipes import receive_handle, wait_for

from mojo_seq import (
    DataPipe,
    Handle,
    MessagePipe,
    Result,
    Signals,
    SignalsState,
    Watcher,
    wait,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, W, PC, PR = (
    Signals.READABLE,
    Signals.WRITABLE,
    Signals.PEER_CLOSED,
    Signals.PEER_REMOTE,
)
TIMEOUT = 30.0


def test_up_when_the_peer_leaves(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §8.1, as soon as the write that sends it has returned."""
    a, b = message_pipes()
    assert a.query_signals_state() == SignalsState(W, R | W | PC | PR)
    there = child.give(b)
    assert a.query_signals_state() == SignalsState(W | PR, R | W | PC | PR)
    assert there.query_signals_state() == SignalsState(W | PR, R | W | PC | PR)


def test_with_messages_queued(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §8.1."""
    a, b = message_pipes()
    child.give(b).write(b"x")
    wait_for(a, R)
    assert a.query_signals_state() == SignalsState(R | W | PR, R | W | PC | PR)


def test_down_for_good_when_the_peer_closes(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §8.1: it "becomes unsatisfiable on peer close"."""
    a, b = message_pipes()
    there = child.give(b)
    there.write(b"x")
    there.close()
    assert wait_for(a, PC) == SignalsState(R | PC, R | PC)
    a.read().close()
    assert a.query_signals_state() == SignalsState(PC, PC)
    assert wait(a, PR)[0] is Result.FAILED_PRECONDITION


def test_down_when_the_peer_comes_home(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """System rules §13.2, RemotePeers: up and down as it moves, five times."""
    a, b = message_pipes()
    moving: Handle = b
    for _ in range(5):
        there = child.give(moving)
        assert a.query_signals_state().peer_remote
        moving = child.take(there)
        closing.append(moving)
        assert not a.query_signals_state().peer_remote
        assert not moving.query_signals_state().peer_remote


def test_a_message_on_its_way_is_remote(child: Puppet, message_pipes: MessagePipes) -> None:
    """Until the end that arrives is read out of its message."""
    (a, b), (home, far) = message_pipes(), message_pipes()
    carrier, there = child.give(far), child.give(b)
    carrier.write(b"", [there])
    wait_for(home, R)
    assert a.query_signals_state().peer_remote
    with home.read() as message:
        assert len(message.handles) == 1
        assert not a.query_signals_state().peer_remote


def test_not_raised_by_a_local_transfer(message_pipes: MessagePipes) -> None:
    """System rules §8.1."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    assert not a.query_signals_state().peer_remote
    with receive_handle(d):
        assert not a.query_signals_state().peer_remote


def test_both_ends_in_the_same_child(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §13.2: endpoints reconnect locally, wherever that is."""
    a, b = message_pipes()
    at_child = child.give(a)
    assert at_child.query_signals_state().peer_remote
    other = child.give(b)
    assert not other.query_signals_state().peer_remote
    assert not at_child.query_signals_state().peer_remote


def test_between_two_children(puppets: Callable[[], Puppet], message_pipes: MessagePipes) -> None:
    """System rules §8.1: each is remote to the other, whoever made the pipe."""
    a, b = message_pipes()
    ends = [puppets().give(a), puppets().give(b)]
    for end in ends:
        assert end.query_signals_state().peer_remote


def test_waiting_for_it(child: Puppet, message_pipes: MessagePipes) -> None:
    """RemotePeerStatus: a wait on another thread ends when the peer leaves."""
    a, b = message_pipes()
    states: list[SignalsState] = []
    thread = threading.Thread(target=lambda: states.append(wait_for(a, PR)))
    thread.start()
    child.give(b)
    thread.join()
    assert states[0].peer_remote


def test_watching_it(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §8.1, §9.3: notified when it rises, within the call that sent the peer."""
    a, b = message_pipes()
    seen: list[SignalsState] = []
    with Watcher(lambda context, result, state, flags: seen.append(state)) as watcher:
        watcher.watch(a, PR, None)
        assert watcher.arm() == []
        child.give(b)
        assert [state.peer_remote for state in seen] == [True]


def test_data_pipes_have_it_too(
    child: Puppet, data_pipes: DataPipes, closing: list[Handle]
) -> None:
    """System rules §8.2, §8.3: up and down, satisfiable as long as the peer is open."""
    producer, consumer = data_pipes()
    assert producer.query_signals_state().satisfied == W
    there = child.give(consumer)
    assert producer.query_signals_state().satisfied == W | PR
    home = child.take(there)
    closing.append(home)
    assert producer.query_signals_state().satisfied == W
    assert home.query_signals_state().satisfied == Signals.NONE
    there = child.give(producer)
    assert home.query_signals_state().satisfied == PR
    there.close()
    assert wait_for(home, PC) == SignalsState(PC, PC)
