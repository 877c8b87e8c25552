"""Refs in processes that have no actor system (contract §11: refs travel)."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from typing import Any

import pytest
from strangers import Depot, Watching, ask_and_report, ask_over_pipe, report
from strangers.fixtures import TIMEOUT, Put
from strangers.programs import run_in_multiprocessing

from mojo_seq import (
    ActorDeadError,
    ActorRef,
    ActorSystem,
    ChildProcess,
    InvalidArgumentError,
    Message,
    Signals,
    create_message_pipe,
    spawn_process,
    wait,
)
from mojo_seq.process.object_codec import decode


def told(child: ChildProcess) -> Any:
    """What a program reports."""
    wait(child.pipe, Signals.READABLE, TIMEOUT)
    return decode(child.pipe.read())


def test_a_ref_as_an_argument_of_spawn_process(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    with spawn_process(report, depot, "add", 5) as child:
        assert told(child) == (child.pid, 5)
    assert depot.add(0).result(TIMEOUT) == 5


def test_exceptions_come_with_the_traceback_of_the_actor(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    with spawn_process(report, depot, "fail") as child:
        error = told(child)[1]
    assert isinstance(error, LookupError)


def test_a_method_that_does_not_exist_fails_there_at_the_call(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    with spawn_process(report, depot, "no_such_thing") as child:
        error = told(child)[1]
    assert isinstance(error, AttributeError) and "put, take" in str(error)


def test_a_ref_of_an_actor_that_has_ended(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    depot.stop()
    with spawn_process(report, depot, "add") as child:
        assert isinstance(told(child)[1], ActorDeadError)


def test_a_ref_of_a_placed_actor(put: Put) -> None:
    depot = put(Depot)
    with spawn_process(report, depot, "pid") as child:
        assert told(child)[1] == depot.pid().result(TIMEOUT)


def test_many_clients_at_once(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    children = [spawn_process(ask_and_report, depot, 100) for _ in range(3)]
    answers = sorted(told(child) for child in children)
    for child in children:
        assert child.wait(TIMEOUT) == 0
        child.pipe.close()
    assert answers[-1] == 300 == depot.add(0).result(TIMEOUT)


def test_a_ref_over_a_raw_pipe_and_back(system: ActorSystem) -> None:
    depot = system.spawn(Depot, name="the depot")
    with spawn_process(ask_over_pipe) as child:
        child.pipe.write_message(depot.to_message())
        answer, text = told(child)
        assert answer == 5 and "'the depot'" in text
        wait(child.pipe, Signals.READABLE, TIMEOUT)
        back = ActorRef.from_message(child.pipe.read())
        assert told(child) == ["MainThread"]  # what talked to the actor has ended with the ref
    assert back == depot and back._target is depot._target  # it is at home: a local one again


def test_messages_without_a_ref_are_refused() -> None:
    for message in (Message(b"garbage"), Message(b""), Message(pickle.dumps(5))):
        near, far = create_message_pipe()
        near.write_message(message)
        with pytest.raises(InvalidArgumentError, match="ActorRef"):
            ActorRef.from_message(far.read())
        near.close()
        far.close()


def test_a_ref_message_that_is_never_read_leaves_nothing(system: ActorSystem) -> None:
    system.spawn(Depot).to_message().close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_ref_as_an_argument_of_multiprocessing(system: ActorSystem, method: str) -> None:
    depot = system.spawn(Depot)
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=run_in_multiprocessing, args=(depot, 10))
    process.start()
    process.join(TIMEOUT)
    assert process.exitcode == 0
    process.close()
    assert depot.add(0).result(TIMEOUT) == 10


def test_elsewhere_refs_cannot_be_pickled(system: ActorSystem) -> None:
    depot = system.spawn(Depot)
    with pytest.raises(TypeError, match="to_message"):
        pickle.dumps(depot)


def test_a_forked_child_can_do_nothing_with_the_refs_and_disturbs_nothing(put: Put) -> None:
    depot = put(Depot)
    assert depot.add(1).result(TIMEOUT) == 1
    pid = os.fork()
    if pid == 0:
        outcome = 1
        try:
            depot.add(1).result(1)
        except Exception:
            outcome = 0
        os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert depot.add(1).result(TIMEOUT) == 2


def test_a_process_that_ends_takes_the_monitors_of_its_refs_along(
    system: ActorSystem, put: Put
) -> None:
    watching, depot = put(Watching), system.spawn(Depot)
    watching.look_at(depot).result(TIMEOUT)
    watching.kill()
    with pytest.raises(ActorDeadError):
        watching.seen().result(TIMEOUT)
    depot.stop()
