"""Message pipes against a model: random programs of writes, reads, transfers, fusions, closures.

The model is a graph of endpoints whose queues hold (payload, endpoints); system rules §4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mojo_seq import (
    BusyError,
    FailedPreconditionError,
    InvalidArgumentError,
    Message,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    create_message_pipe,
    fuse_message_pipes,
)

MOST_ENDS = 16
EVERYTHING = Signals.READABLE | Signals.WRITABLE | Signals.PEER_CLOSED | Signals.PEER_REMOTE


@dataclass(eq=False)
class End:
    """What an endpoint should be; `handle` is None while it is in transit, and once it is gone."""

    handle: MessagePipeHandle | None
    peer: End | None = None
    queue: list[tuple[bytes, list[End]]] = field(default_factory=list)
    written_to: bool = False

    def inside(self) -> list[End]:
        """The endpoints in its own queue."""
        return [end for _, ends in self.queue for end in ends]

    def close(self) -> None:
        """Close it and all it contains."""
        for end in reachable([self]):
            if end.peer is not None:
                end.peer.peer = None
            end.peer, end.handle, end.queue = None, None, []

    def signals(self) -> tuple[Signals, Signals]:
        """System rules §8.1."""
        satisfied = Signals.READABLE if self.queue else Signals.NONE
        if self.peer is None:
            return satisfied | Signals.PEER_CLOSED, satisfied | Signals.PEER_CLOSED
        return satisfied | Signals.WRITABLE, EVERYTHING


def reachable(starts: Iterable[End], moved: dict[End, list[End]] | None = None) -> set[End]:
    """The starts, what is in their queues, and so on; as if `moved` were in the queues already."""
    found: set[End] = set()
    work = list(starts)
    while work:
        end = work.pop()
        if end not in found:
            found.add(end)
            work += end.inside() + (moved or {}).get(end, [])
    return found


class MessagePipeMachine(RuleBasedStateMachine):
    """Every rule does the same to the model and to the library, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[End] = []  # all that were not closed, in transit or not

    def hand(self) -> list[End]:
        """The endpoints whose handles the program holds."""
        return [end for end in self.ends if end.handle is not None]

    def pick(self, index: int) -> tuple[End, MessagePipeHandle]:
        """One of them."""
        hand = self.hand()
        end = hand[index % len(hand)]
        assert end.handle is not None
        return end, end.handle

    def forget_closed(self) -> None:
        """Endpoints that were in transit and got lost have neither handle nor place in a queue."""
        kept = reachable(self.hand())
        self.ends = [end for end in self.ends if end in kept]

    indexes = st.integers(0, MOST_ENDS - 1)
    some_in_hand = precondition(lambda self: bool(self.hand()))

    @precondition(lambda self: len(self.ends) < MOST_ENDS)
    @rule()
    def create(self) -> None:
        pipe = create_message_pipe()
        a, b = End(pipe.handle0), End(pipe.handle1)
        a.peer, b.peer = b, a
        self.ends += [a, b]

    @some_in_hand
    @rule(index=indexes, payloads=st.lists(st.binary(max_size=3), min_size=1, max_size=3))
    def write(self, index: int, payloads: list[bytes]) -> None:
        end, handle = self.pick(index)
        if end.peer is None:
            with pytest.raises(PeerClosedError):
                handle.write_batch(payloads)
            return
        handle.write_batch(payloads)
        end.peer.queue += [(payload, []) for payload in payloads]
        end.written_to = True

    @some_in_hand
    @rule(index=indexes, others=st.lists(indexes, min_size=1, max_size=3), built=st.booleans())
    def send(self, index: int, others: list[int], built: bool) -> None:
        """Write endpoints into an endpoint; a refusal leaves them all with the program."""
        end, handle = self.pick(index)
        carried = [self.pick(other)[0] for other in others]
        handles = [self.pick(other)[1] for other in others]
        error = self.refusal(end, carried)
        if error is not None:
            with pytest.raises(error):
                handle.write(b"+", handles)
            assert all(each.is_valid for each in handles)
            return
        if built:
            handle.write_message(Message(b"+", handles))
        else:
            handle.write(b"+", handles)
        assert not any(each.is_valid for each in handles)
        assert end.peer is not None
        end.peer.queue.append((b"+", carried))
        end.written_to = True
        for each in carried:
            each.handle = None

    def refusal(self, end: End, carried: list[End]) -> type[Exception] | None:
        """System rules §4.5 and §4.2, in the order in which the checks come."""
        if end.peer in carried:
            return InvalidArgumentError
        if len(set(carried)) != len(carried) or end in carried:
            return BusyError
        if end.peer is None:
            return PeerClosedError
        return InvalidArgumentError if end.peer in reachable(carried) else None

    @some_in_hand
    @rule(index=indexes)
    def read(self, index: int) -> None:
        end, handle = self.pick(index)
        if not end.queue:
            with pytest.raises(PeerClosedError if end.peer is None else ShouldWaitError):
                handle.read()
            return
        payload, inside = end.queue.pop(0)
        with handle.read() as message:
            assert bytes(message) == payload
            taken = message.take_handles()
        for each, received in zip(inside, taken, strict=True):
            assert isinstance(received, MessagePipeHandle)
            each.handle = received

    @some_in_hand
    @rule(index=indexes, count=st.integers(1, 4))
    def read_batch_and_drop(self, index: int, count: int) -> None:
        """What dropped messages carry is closed with them."""
        end, handle = self.pick(index)
        if not end.queue and end.peer is None:
            with pytest.raises(PeerClosedError):
                handle.read_batch(count)
            return
        expected, end.queue = end.queue[:count], end.queue[count:]
        messages = handle.read_batch(count)
        assert [bytes(message) for message in messages] == [payload for payload, _ in expected]
        for message in messages:
            message.close()
        for each in [each for _, inside in expected for each in inside]:
            each.close()
        self.forget_closed()

    @some_in_hand
    @rule(first=indexes, second=indexes)
    def fuse(self, first: int, second: int) -> None:
        (left, b), (right, c) = self.pick(first), self.pick(second)
        errors = self.fuse_refusal(left, right)
        if errors:
            with pytest.raises(errors):
                fuse_message_pipes(b, c)
            assert b.is_valid
            assert c.is_valid
            return
        fuse_message_pipes(b, c)
        assert not b.is_valid
        assert not c.is_valid
        near, far = left.peer, right.peer
        left.peer = right.peer = None
        for gone, heir, other in ((left, far, near), (right, near, far)):
            if heir is not None:
                heir.queue += gone.queue
                heir.peer = other
                gone.queue = []
        left.close()
        right.close()
        self.forget_closed()

    def fuse_refusal(self, left: End, right: End) -> tuple[type[Exception], ...]:
        """System rules §4.4; and no pipe may end up inside itself. Either error if both are due."""
        near, far = left.peer, right.peer
        if left is right:
            return (InvalidArgumentError,)
        moved: dict[End, list[End]] = {}
        if far is not None:
            moved[far] = left.inside()
        if near is not None:
            moved[near] = right.inside()
        errors: list[type[Exception]] = []
        if near is right or left.written_to or right.written_to:
            errors.append(FailedPreconditionError)
        if any(end in reachable(end.inside() + moved[end], moved) for end in moved):
            errors.append(InvalidArgumentError)
        return tuple(errors)

    @some_in_hand
    @rule(index=indexes)
    def close(self, index: int) -> None:
        end, handle = self.pick(index)
        handle.close()
        end.close()
        self.forget_closed()

    @invariant()
    def signals_agree(self) -> None:
        for end in self.hand():
            assert end.handle is not None
            state = end.handle.query_signals_state()
            assert (state.satisfied, state.satisfiable) == end.signals()

    def teardown(self) -> None:
        for end in self.hand():
            assert end.handle is not None
            end.handle.close()


TestMessagePipeModel = MessagePipeMachine.TestCase
TestMessagePipeModel.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
