"""Asks: a method is called by a message, its result comes in a Reply (public contract §11)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Echo, Puppet, Whereabouts
from troupe.fixtures import RunThreads, Spawn
from troupe.odd_methods import OddMethods

from mojo_seq import ActorDeadError, DeadlineExceededError, Reply


def test_the_example_of_the_contract(spawn: Spawn) -> None:
    counter = spawn(Counter, 10)
    assert counter.add(5).result(timeout=TIMEOUT) == 15


def test_an_ask_is_a_future(spawn: Spawn) -> None:
    reply = spawn(Counter).add(1)
    assert isinstance(reply, Reply)
    assert isinstance(reply, Future)
    assert reply.result(TIMEOUT) == 1
    assert reply.done()
    assert reply.exception() is None


def test_constructor_takes_positional_and_keyword_arguments(spawn: Spawn) -> None:
    assert spawn(Counter, start=7).get().result(TIMEOUT) == 7
    assert spawn(Counter, 8).get().result(TIMEOUT) == 8


def test_arguments_of_all_kinds_arrive(spawn: Spawn) -> None:
    echo = spawn(Echo)
    assert echo.echo(1).result(TIMEOUT) == 1
    assert echo.echo().result(TIMEOUT) == ()
    assert echo.echo(1, "b", [3]).result(TIMEOUT) == (1, "b", [3])
    assert echo.echo(1, key={"a": None}).result(TIMEOUT) == ((1,), {"key": {"a": None}})


@pytest.mark.parametrize("value", [None, 0, "", b"\0" * 100_000, float("inf"), {"a": (1, [2])}])
def test_results_of_all_kinds_come_back(spawn: Spawn, value: Any) -> None:
    echo = spawn(Echo)
    assert echo.echo(value).result(TIMEOUT) == value
    assert echo.echo_async(value).result(TIMEOUT) == value


def test_ask_by_name_and_by_function_are_the_same(spawn: Spawn) -> None:
    counter = spawn(Counter)
    assert counter.ask("add", 2).result(TIMEOUT) == 2
    assert counter.ask(Counter.add, 3).result(TIMEOUT) == 5
    assert counter.ask(Counter.add, k=4).result(TIMEOUT) == 9
    assert counter.ask(Counter.add_async, 1).result(TIMEOUT) == 10
    counter.tell("add", 1)
    counter.tell(Counter.add, 1)
    assert counter.get().result(TIMEOUT) == 12


def test_async_methods_are_asked_alike(spawn: Spawn) -> None:
    counter = spawn(Counter)
    assert counter.add_async(4).result(TIMEOUT) == 4
    assert [reply.result(TIMEOUT) for reply in [counter.add_async() for _ in range(20)]] == list(
        range(5, 25)
    )


def test_asks_are_handled_in_the_order_of_sending(spawn: Spawn) -> None:
    counter = spawn(Counter)
    replies = [counter.add() if i % 3 else counter.add_async() for i in range(300)]
    assert [reply.result(TIMEOUT) for reply in replies] == list(range(1, 301))


@pytest.mark.parametrize("method", ["fail", "fail_async"])
def test_an_asked_methods_exception_goes_to_the_asker_only(
    spawn: Spawn, journal: Journal, method: str
) -> None:
    # Contract: a failure is an exception in a told message; an asked one's is the asker's.
    puppet = spawn(Puppet, journal.ref)
    puppet.work(1).result(TIMEOUT)
    reply = puppet.ask(method, "the reason")
    with pytest.raises(LookupError, match="the reason"):
        reply.result(TIMEOUT)
    assert isinstance(reply.exception(), LookupError)
    assert puppet.count().result(TIMEOUT) == 1, "the same object goes on"
    assert puppet.is_alive


def test_an_exception_shows_the_lines_that_raised_it(spawn: Spawn, journal: Journal) -> None:
    # Issue: with the remote traceback.
    import traceback

    error = spawn(Puppet, journal.ref).fail().exception(TIMEOUT)
    assert error is not None
    shown = "".join(traceback.format_exception(error))
    assert "raise LookupError(text)" in shown


@pytest.mark.parametrize("method", ["stop_iteration", "stop_iteration_async", "generator_exit"])
def test_exceptions_with_a_meaning_to_python_itself_arrive(spawn: Spawn, method: str) -> None:
    odd = spawn(OddMethods)
    error = odd.ask(method).exception(TIMEOUT)
    assert error is not None
    assert odd.static(1).result(TIMEOUT) == 1


def test_wrong_arguments_are_the_askers_error(spawn: Spawn) -> None:
    counter = spawn(Counter)
    with pytest.raises(TypeError, match="positional argument"):
        counter.add(1, 2, 3).result(TIMEOUT)
    with pytest.raises(TypeError, match="unexpected keyword"):
        counter.add(step=1).result(TIMEOUT)
    assert counter.add(1).result(TIMEOUT) == 1


def test_static_class_and_inherited_methods_are_messages(spawn: Spawn) -> None:
    odd = spawn(OddMethods)
    assert odd.static(2).result(TIMEOUT) == 2
    assert odd.of_class().result(TIMEOUT) == "OddMethods"
    assert odd.inherited().result(TIMEOUT) == "base"
    assert odd.overridden().result(TIMEOUT) == "derived"


def test_result_waits_no_longer_than_its_timeout(
    spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    puppet = spawn(Puppet, journal.ref)
    reply = puppet.hold(gate.ref)
    for wait in (reply.result, reply.exception):
        with pytest.raises(TimeoutError):
            wait(0.001)
    with pytest.raises(DeadlineExceededError):
        reply.result(0)
    gate.open()
    assert reply.result(TIMEOUT) == "held"


def test_methods_run_on_the_actors_sequence(spawn: Spawn, in_process: bool) -> None:
    whereabouts = spawn(Whereabouts)
    assert whereabouts.is_on_its_sequence().result(TIMEOUT)
    assert whereabouts.is_current().result(TIMEOUT)
    if not in_process:
        import threading

        assert whereabouts.thread().result(TIMEOUT) != threading.get_ident()


def test_a_reply_that_a_method_returns_is_passed_on(
    spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    # The asker gets what the other actor answers, and the one between is free meanwhile.
    between = spawn(OddMethods)
    counter = spawn(Counter, 5)
    puppet = spawn(Puppet, journal.ref)
    assert between.pass_on(counter, "add", 2).result(TIMEOUT) == 7
    assert between.pass_on_async(counter, "add", 2).result(TIMEOUT) == 9
    with pytest.raises(LookupError, match="passed"):
        between.pass_on(puppet, "fail", "passed").result(TIMEOUT)
    late = between.pass_on(puppet, "hold", gate.ref)
    assert journal.next() == "held"
    assert between.static(3).result(TIMEOUT) == 3
    assert not late.done()
    gate.open()
    assert late.result(TIMEOUT) == "held"


def test_a_passed_on_ask_to_a_dying_actor_fails(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    between, puppet = spawn(OddMethods), spawn(Puppet, journal.ref)
    late = between.pass_on(puppet, "hold", gate.ref)
    assert journal.next() == "held"
    puppet.kill()
    with pytest.raises(ActorDeadError):
        late.result(TIMEOUT)


def test_actors_ask_one_another(spawn: Spawn) -> None:
    asker, counter = spawn(OddMethods), spawn(Counter, 1)
    assert asker.ask_blocking(counter, 2).result(TIMEOUT) == 3
    assert asker.ask_awaiting(counter, 2).result(TIMEOUT) == 5
    assert asker.ask_many(counter, 10).result(TIMEOUT) == list(range(6, 16))


def test_many_threads_ask_one_actor(spawn: Spawn, run_threads: RunThreads) -> None:
    counter = spawn(Counter)

    def ask(_: int) -> None:
        before = 0
        for _ in range(100):
            now = counter.add(1).result(TIMEOUT)
            assert now > before
            before = now

    run_threads(8, ask)
    assert counter.get().result(TIMEOUT) == 800
