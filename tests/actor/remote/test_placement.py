"""Actors that are put in worker processes (contract §11: the same ref, the same semantics)."""

from __future__ import annotations

import os
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest
from strangers import Depot, Friend, Watching
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import (
    ActorDeadError,
    ActorSystem,
    AlreadyExistsError,
    ProcessPool,
    create_message_pipe,
    create_shared_buffer,
)


def test_actors_are_spread_over_the_workers(put: Put) -> None:
    pids = Counter(put(Depot).pid().result(TIMEOUT) for _ in range(6))
    assert sorted(pids.values()) == [3, 3] and os.getpid() not in pids


def test_names_are_the_homes(system: ActorSystem, put: Put) -> None:
    depot = put(Depot, name="the depot")
    assert system.find("the depot") == depot and depot.name == "the depot"
    with pytest.raises(AlreadyExistsError):
        put(Depot, name="the depot")


def test_an_actors_own_ref_is_the_homes(put: Put) -> None:
    friend, other = put(Friend), put(Friend)
    assert friend.own().result(TIMEOUT) == friend
    assert friend.own().result(TIMEOUT)._target is friend._target
    assert other.ask_it(friend, "own").result(TIMEOUT) == friend
    assert hash(other.ask_it(friend, "own").result(TIMEOUT)) == hash(friend)


def test_workers_talk_to_one_another_directly(system: ActorSystem, put: Put) -> None:
    friend, other, home = put(Friend), put(Friend), system.spawn(Depot)
    assert other.pid().result(TIMEOUT) != friend.pid().result(TIMEOUT)
    mine, theirs = (each._target.link.node_id for each in (friend, other))
    assert theirs not in friend.ways_while_asking(home, "pid").result(TIMEOUT)
    assert theirs in friend.ways_while_asking(other, "pid").result(TIMEOUT)
    assert mine in other.ways_while_asking(friend, "pid").result(TIMEOUT)


def test_an_actor_asks_one_at_home_and_one_beside_it(system: ActorSystem, put: Put) -> None:
    friends, home = [put(Friend) for _ in range(4)], system.spawn(Depot)
    for friend in friends:
        assert friend.ask_it(home, "pid").result(TIMEOUT) == os.getpid()
    pids = [friend.pid().result(TIMEOUT) for friend in friends]
    for friend in friends:
        asked = [friend.ask_it(each, "pid").result(TIMEOUT) for each in friends if each != friend]
        awaited = [
            friend.await_it(each, "pid").result(TIMEOUT) for each in friends if each != friend
        ]
        assert (
            asked
            == awaited
            == [pid for each, pid in zip(friends, pids, strict=True) if each != friend]
        )


def test_children_live_with_their_parent(put: Put) -> None:
    friend = put(Friend)
    child = friend.child().result(TIMEOUT)
    assert child.pid().result(TIMEOUT) == friend.pid().result(TIMEOUT)
    friend.stop()
    with pytest.raises(ActorDeadError):
        while True:
            child.add(1).result(TIMEOUT)
    assert not child.is_alive


def test_arguments_that_cannot_be_pickled_fail_in_the_sender(put: Put) -> None:
    depot = put(Depot)
    with pytest.raises(TypeError) as caught:
        depot.put({"deep": [threading.Lock()]})
    assert "args[0]['deep'][0]" in caught.value.__notes__[0]
    with pytest.raises(TypeError) as caught:
        depot.put.tell(thing=threading.Lock())
    assert "kwargs['thing']" in caught.value.__notes__[0]
    assert depot.add(1).result(TIMEOUT) == 1


def test_constructor_arguments_that_cannot_be_pickled_fail_spawn(
    system: ActorSystem, put: Put
) -> None:
    with pytest.raises(TypeError) as caught:
        put(Depot, threading.Lock(), name="n")
    assert "args[0]" in caught.value.__notes__[0]
    put(Depot, name="n")  # the name is free


def test_classes_that_nobody_can_import_fail_spawn(put: Put) -> None:
    class Local(Depot):
        pass

    with pytest.raises((AttributeError, TypeError, Exception), match="Local") as caught:
        put(Local)
    assert "the class" in caught.value.__notes__[0]


def test_results_that_cannot_be_pickled_fail_the_ask(put: Put) -> None:
    depot = put(Depot)
    with pytest.raises(TypeError) as caught:
        depot.lock().result(TIMEOUT)
    assert "result" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("nbytes", [8, 8_000, 80_000, 8_000_000])
def test_arrays_can_be_written_to_and_are_the_actors_own(put: Put, nbytes: int) -> None:
    depot = put(Depot)
    array = np.ones(nbytes // 8)
    assert depot.write_into(array, 2.0).result(TIMEOUT) == (True, 2.0 * array.size)
    assert (array == 1).all()
    depot.put(array).result(TIMEOUT)
    back = depot.take().result(TIMEOUT)
    assert (back == array).all() and back.flags.writeable


def test_a_shared_buffer_moves_there_and_back(put: Put) -> None:
    depot = put(Depot)
    buffer = create_shared_buffer(1 << 20)
    reply = depot.fill(buffer, 7)
    assert not buffer.is_valid
    back = reply.result(TIMEOUT)
    assert (back.as_array(np.uint8) == 7).all()
    back.close()


def test_handles_of_an_ask_that_cannot_be_sent_stay_here(put: Put) -> None:
    depot = put(Depot)
    near, far = create_message_pipe()
    with pytest.raises(TypeError):
        depot.put([far, threading.Lock()])
    assert far.is_valid
    near.close()
    far.close()


def test_a_pipe_to_an_actor(put: Put) -> None:
    depot = put(Depot)
    near, far = create_message_pipe()
    near.write(b"before")
    depot.put(far).result(TIMEOUT)
    there = depot.take().result(TIMEOUT)
    near.write(b"after")
    assert [bytes(there.read()), bytes(there.read())] == [b"before", b"after"]
    near.close()
    there.close()


def test_the_order_of_one_senders_messages(put: Put) -> None:
    depot = put(Depot)
    for number in range(3000):
        depot.put.tell(number)
    assert depot.put(None).result(TIMEOUT) == 3001
    depot.take().result(TIMEOUT)
    assert [depot.take().result(TIMEOUT) for _ in range(3)] == [2999, 2998, 2997]


def test_a_monitor_in_another_process_sees_the_reason(system: ActorSystem, put: Put) -> None:
    watching, depot, home = put(Watching), put(Depot), system.spawn(Depot)
    for each in (depot, home):
        watching.look_at(each).result(TIMEOUT)
    depot.fail.tell()
    home.kill()
    downs: list[Any] = []
    while len(downs) < 2:
        downs = watching.seen().result(TIMEOUT)
    reasons = {down.ref: down.reason for down in downs}
    assert reasons[home].kind == "killed"
    assert reasons[depot].kind == "failed" and isinstance(reasons[depot].error, LookupError)


def test_a_monitor_of_one_that_has_ended_is_told_at_once(system: ActorSystem, put: Put) -> None:
    watching, depot = put(Watching), system.spawn(Depot)
    depot.stop()
    while depot.is_alive:
        pass
    watching.look_at(depot).result(TIMEOUT)
    while not watching.seen().result(TIMEOUT):
        pass
    assert watching.seen().result(TIMEOUT)[0].ref == depot


def test_links_between_processes(put: Put) -> None:
    one, depot, other = put(Watching), put(Depot), put(Watching)
    one.tie_to(depot).result(TIMEOUT)
    other.tie_to(one).result(TIMEOUT)
    depot.fail.tell()
    for each in (one, other):
        with pytest.raises(ActorDeadError, match="linked"):
            while True:
                each.seen().result(TIMEOUT)


def test_two_systems_on_one_pool(pool: ProcessPool, system: ActorSystem, put: Put) -> None:
    with ActorSystem() as another:
        mine, theirs = put(Depot), another.spawn(Depot, on=pool)
        friend = put(Friend)
        assert friend.ask_it(theirs, "add", 3).result(TIMEOUT) == 3
        assert mine.add(1).result(TIMEOUT) == 1
    with pytest.raises(ActorDeadError):
        friend.ask_it(theirs, "add", 3).result(TIMEOUT)
    assert mine.add(1).result(TIMEOUT) == 2
