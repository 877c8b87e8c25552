"""`async def` methods: one message at a time unless it says otherwise (public contract §11)."""

from __future__ import annotations

from concurrent.futures import CancelledError

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.coroutines import Coroutines
from troupe.fixtures import Gates, Spawn, WaitEnded

from mojo_seq import ActorDeadError, interleaved


def test_by_default_the_next_message_waits(spawn: Spawn, journal: Journal, gates: Gates) -> None:
    actor, first, second = spawn(Coroutines, journal.ref), gates(), gates()
    one = actor.in_turn(first.ref, "one")
    other = actor.in_turn(second.ref, "other")
    sync = actor.note("sync")
    assert journal.next() == ("begin", "one")
    second.open()
    assert not other.done()
    assert not sync.done()
    first.open()
    assert (one.result(TIMEOUT), other.result(TIMEOUT)) == ("one", "other")
    sync.result(TIMEOUT)
    assert journal.take(4) == [("end", "one"), ("begin", "other"), ("end", "other"), "sync"]


def test_no_update_is_lost_by_default(spawn: Spawn, journal: Journal) -> None:
    actor = spawn(Coroutines, journal.ref)
    replies = [actor.deposit(1) for _ in range(50)]
    assert [reply.result(TIMEOUT) for reply in replies] == list(range(1, 51))


def test_interleaved_lets_others_in(spawn: Spawn, journal: Journal, gates: Gates) -> None:
    actor, first, second = spawn(Coroutines, journal.ref), gates(), gates()
    one = actor.at_once(first.ref, "one")
    other = actor.at_once(second.ref, "other")
    assert actor.work("sync").result(TIMEOUT) == "sync"
    assert journal.take(2) == [("begin", "one"), ("begin", "other")]
    second.open()
    assert other.result(TIMEOUT) == "other"
    assert not one.done()
    first.open()
    assert one.result(TIMEOUT) == "one"
    assert journal.take(2) == [("end", "other"), ("end", "one")]


def test_an_interleaved_one_goes_on_during_one_that_is_not(
    spawn: Spawn, journal: Journal, gates: Gates
) -> None:
    actor, first, second = spawn(Coroutines, journal.ref), gates(), gates()
    free = actor.at_once(first.ref, "free")
    turn = actor.in_turn(second.ref, "turn")
    waiting = actor.work(1)
    assert journal.take(2) == [("begin", "free"), ("begin", "turn")]
    first.open()
    assert free.result(TIMEOUT) == "free"
    assert not waiting.done()
    second.open()
    assert turn.result(TIMEOUT) == "turn"
    assert waiting.result(TIMEOUT) == 1


def test_an_interleaved_tell_that_raises_is_a_failure(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    actor = spawn(Coroutines, journal.ref)
    actor.fail_at_once.tell()
    reason = wait_ended(actor)
    assert (reason.kind, str(reason.error)) == ("failed", "interleaved")
    assert journal.next() == "failed"


def test_stop_waits_for_interleaved_methods(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    actor = spawn(Coroutines, journal.ref)
    replies = [actor.at_once(gate.ref, label) for label in "ab"]
    journal.take(2)
    actor.stop()
    with pytest.raises(ActorDeadError):
        actor.work().result(TIMEOUT)
    gate.open()
    assert [reply.result(TIMEOUT) for reply in replies] == ["a", "b"]
    assert wait_ended(actor).kind == "stopped"
    assert sorted(journal.take(2)) == [("end", "a"), ("end", "b")]
    assert journal.next() == "stopped"


@pytest.mark.parametrize("method", ["forever", "forever_at_once"])
def test_kill_cancels_them_all_and_waits_for_their_clean_up(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, method: str
) -> None:
    actor = spawn(Coroutines, journal.ref)
    replies = [actor.ask(method, label) for label in "ab"]
    begun = 1 if method == "forever" else 2
    assert journal.take(begun) == [("begin", label) for label in "ab"[:begun]]
    actor.kill()
    for reply in replies:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)
    assert wait_ended(actor).kind == "killed"
    assert sorted(journal.take(begun)) == [("end", label) for label in "ab"[:begun]]
    assert journal.next() == "killed"


def test_everything_of_asyncio_is_there(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    actor = spawn(Coroutines, journal.ref)
    assert actor.sleep(0.001).result(TIMEOUT) == "slept"
    assert actor.gather(10).result(TIMEOUT) == list(range(10))
    assert actor.in_thread().result(TIMEOUT) == 42
    assert actor.wait_for(gate.ref, 0.001).result(TIMEOUT) == "timeout"
    gate.open()
    assert actor.wait_for(gate.ref, TIMEOUT).result(TIMEOUT) == "open"


def test_each_step_runs_on_the_actors_sequence(spawn: Spawn, journal: Journal) -> None:
    actor = spawn(Coroutines, journal.ref)
    assert actor.current_is_known().result(TIMEOUT)
    assert all(actor.own_sequence().result(TIMEOUT))


def test_a_task_that_a_method_leaves_goes_on(spawn: Spawn, journal: Journal) -> None:
    actor = spawn(Coroutines, journal.ref)
    assert actor.background("later").result(TIMEOUT) == "begun"
    assert journal.next() == "later"


def test_a_method_that_ends_cancelled(spawn: Spawn, journal: Journal) -> None:
    # Nobody has cancelled it: its asker gets an error, and the actor goes on.
    actor = spawn(Coroutines, journal.ref)
    with pytest.raises((CancelledError, ActorDeadError)):
        actor.raise_cancelled().result(TIMEOUT)
    assert actor.work(1).result(TIMEOUT) == 1


def test_actors_that_await_do_not_keep_threads(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    # Many more suspended actors than threads.
    actors = [spawn(Coroutines, journal.ref) for _ in range(12)]
    replies = [actor.in_turn(gate.ref, str(i)) for i, actor in enumerate(actors)]
    journal.take(12)
    gate.open()
    assert [reply.result(TIMEOUT) for reply in replies] == [str(i) for i in range(12)]


def test_interleaved_is_for_async_methods_only() -> None:
    with pytest.raises(TypeError, match="async def"):

        @interleaved
        def method() -> None: ...


def test_interleaved_survives_overriding_only_if_repeated(
    spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    from troupe.overriding import InTurnAgain

    actor = spawn(InTurnAgain, journal.ref)
    first = actor.at_once(gate.ref, "one")
    second = actor.work(1)
    assert journal.next() == ("begin", "one")
    assert not second.done()
    gate.open()
    assert first.result(TIMEOUT) == "one"
    assert second.result(TIMEOUT) == 1
