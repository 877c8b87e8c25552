"""A Reply is a concurrent.futures.Future in all respects (public contract §11)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Gates, Spawn

from mojo_seq import ActorRef, DeadlineExceededError, Reply


@pytest.fixture
def held(spawn: Spawn, journal: Journal, gate: Gate) -> ActorRef[Puppet]:
    """An actor that is held at the gate."""
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    return puppet


def test_states(held: ActorRef[Puppet], gate: Gate) -> None:
    reply = held.work(1)
    assert (reply.done(), reply.running(), reply.cancelled()) == (False, False, False)
    assert "pending" in repr(reply)
    gate.open()
    assert reply.result(TIMEOUT) == 1
    assert (reply.done(), reply.running(), reply.cancelled()) == (True, False, False)
    assert "done" in repr(reply)
    failed = held.fail()
    assert isinstance(failed.exception(TIMEOUT), LookupError)
    assert "LookupError" in repr(failed)


def test_a_result_can_be_had_again_and_again(spawn: Spawn) -> None:
    reply = spawn(Counter).add(1)
    assert [reply.result(TIMEOUT) for _ in range(3)] == [1, 1, 1]


def test_an_exception_can_be_raised_again_and_again(spawn: Spawn, journal: Journal) -> None:
    reply = spawn(Puppet, journal.ref).fail()
    for _ in range(3):
        with pytest.raises(LookupError):
            reply.result(TIMEOUT)


def test_timeout_is_the_builtin_one(held: ActorRef[Puppet]) -> None:
    with pytest.raises(TimeoutError) as caught:
        held.work().result(timeout=0.001)
    assert isinstance(caught.value, DeadlineExceededError)


def test_cancel_takes_back_what_is_queued(
    held: ActorRef[Puppet], gate: Gate, heard: Callable[[], None]
) -> None:
    reply, other = held.work(), held.work()
    assert reply.cancel()
    assert reply.cancel()
    assert (reply.cancelled(), reply.done()) == (True, True)
    for call in (reply.result, reply.exception):
        with pytest.raises(CancelledError):
            call(TIMEOUT)
    heard()
    gate.open()
    other.result(TIMEOUT)
    assert held.count().result(TIMEOUT) == 1, "the cancelled one was not handled"


def test_cancel_comes_too_late_for_what_is_being_handled(
    spawn_here: Spawn, journal: Journal, gate: Gate
) -> None:
    # (What another process is doing is not known here: there it is forgotten.)
    reply = spawn_here(Puppet, journal.ref).hold(gate.ref)
    assert journal.next() == "held"
    assert reply.running()
    assert not reply.cancel()
    gate.open()
    assert reply.result(TIMEOUT) == "held"
    assert not reply.cancel()


def test_cancelling_what_is_being_handled_does_not_hurt_the_actor(
    spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    puppet = spawn(Puppet, journal.ref)
    reply = puppet.hold(gate.ref)
    assert journal.next() == "held"
    cancelled = reply.cancel()
    gate.open()
    assert puppet.work(1).result(TIMEOUT) == 1
    assert cancelled or reply.result(TIMEOUT) == "held"


def test_cancelling_wakes_those_who_wait(held: ActorRef[Puppet]) -> None:
    reply = held.work()
    with ThreadPoolExecutor(2) as executor:
        waiting = [executor.submit(reply.result, TIMEOUT) for _ in range(2)]
        reply.cancel()
        for each in waiting:
            with pytest.raises(CancelledError):
                each.result(TIMEOUT)


def test_done_callbacks(held: ActorRef[Puppet], gate: Gate) -> None:
    called: list[tuple[str, Future[object]]] = []
    done = threading.Event()
    reply = held.work(5)
    reply.add_done_callback(lambda future: called.append(("first", future)))
    reply.add_done_callback(lambda future: called.append(("second", future)))
    reply.add_done_callback(lambda future: done.set())
    assert called == []
    gate.open()
    assert done.wait(TIMEOUT)
    assert called == [("first", reply), ("second", reply)]
    reply.add_done_callback(lambda future: called.append(("late", future)))
    assert called[-1] == ("late", reply), "at once"


def test_a_done_callback_of_a_cancelled_reply(held: ActorRef[Puppet]) -> None:
    called: list[bool] = []
    reply = held.work()
    reply.add_done_callback(lambda future: called.append(future.cancelled()))
    reply.cancel()
    assert called == [True]


def test_a_done_callback_that_raises_is_logged(
    held: ActorRef[Puppet], gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    reply = held.work(5)

    def fail(future: Future[object]) -> None:
        raise LookupError("of the callback")

    reply.add_done_callback(fail)
    reply.add_done_callback(lambda future: done.set())
    gate.open()
    assert done.wait(TIMEOUT), "the next one is called all the same"
    assert reply.result(TIMEOUT) == 5
    assert [r.name for r in caplog.records if r.exc_info] == ["concurrent.futures"]


def test_wait_and_as_completed(spawn: Spawn, journal: Journal, gates: Gates) -> None:
    first, second = gates(), gates()
    puppets = [spawn(Puppet, journal.ref) for _ in range(2)]
    replies = [puppets[0].hold(first.ref, 0), puppets[1].hold(second.ref, 1)]
    journal.take(2)
    done, pending = wait(replies, timeout=0.001)
    assert (done, pending) == (set(), set(replies))
    completed = as_completed(replies, TIMEOUT)
    second.open()
    assert next(completed).result() == 1
    assert wait(replies, TIMEOUT, FIRST_COMPLETED).done == {replies[1]}
    first.open()
    assert next(completed).result() == 0
    assert wait(replies, TIMEOUT).not_done == set()


def test_they_mix_with_other_futures(spawn: Spawn) -> None:
    counter = spawn(Counter)
    with ThreadPoolExecutor(1) as executor:
        futures = [counter.add(1), executor.submit(lambda: 1), counter.add_async(0)]
        assert {future.result() for future in as_completed(futures, TIMEOUT)} == {1}


def test_many_replies_at_once(spawn: Spawn) -> None:
    counter = spawn(Counter)
    replies = [counter.add(1) for _ in range(500)]
    assert sorted(each.result() for each in as_completed(replies, TIMEOUT)) == list(range(1, 501))


def test_a_cancelled_reply_is_completed_for_wait(held: ActorRef[Puppet]) -> None:
    replies = [held.work() for _ in range(3)]
    assert wait(replies, 0).done == set()
    for reply in replies:
        reply.cancel()
    assert wait(replies, TIMEOUT).not_done == set()


def test_replies_made_by_hand() -> None:
    reply = Reply[int]()
    assert not reply.done()
    reply.set_result(3)
    assert reply.result() == 3
    with pytest.raises(InvalidStateError):
        reply.set_result(4)
    with pytest.raises(InvalidStateError):
        reply.set_exception(LookupError())
    failed = Reply[int]()
    failed.set_exception(LookupError("by hand"))
    with pytest.raises(LookupError, match="by hand"):
        failed.result()


def test_a_reply_is_completed_on_any_thread(
    spawn: Spawn, run_threads: Callable[[int, Callable[[int], object]], None]
) -> None:
    replies = [Reply[int]() for _ in range(100)]

    def work(number: int) -> None:
        if number == 0:
            for i, reply in enumerate(replies):
                reply.set_result(i)
        else:
            assert [reply.result(TIMEOUT) for reply in replies] == list(range(100))

    run_threads(4, work)


@pytest.mark.parametrize("timeout", ["1", object(), [1]])
def test_wrong_timeouts(held: ActorRef[Puppet], timeout: Any) -> None:
    with pytest.raises(TypeError):
        held.work().result(timeout)
