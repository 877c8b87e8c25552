"""Workers that end in the middle of everything (contract §11, issue: at once, elsewhere, nothing
is left)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from strangers import Depot, Friend, Watching
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import (
    ActorDeadError,
    ActorRef,
    ActorSystem,
    ProcessPool,
    Supervisor,
    create_message_pipe,
)

pytestmark = pytest.mark.usefixtures("reason_is_awaited")


@pytest.fixture
def system(pool: ProcessPool) -> Any:
    """One that restarts what fails."""
    with ActorSystem(2, supervisor=Supervisor(max_restarts=1000)) as made:
        yield made


def kill(depot: ActorRef[Any]) -> int:
    """Kills the process that an actor is in, and returns its number. That is known then."""
    pid: int = depot.pid().result(TIMEOUT)
    with pytest.raises(ActorDeadError):
        depot.die().result(TIMEOUT)
    return pid


def test_pending_asks_fail_at_once_with_the_reason(put: Put) -> None:
    depot = put(Depot)
    pid = depot.pid().result(TIMEOUT)
    with pytest.raises(ActorDeadError, match=f"{pid}.*SIGKILL"):
        depot.die().result(TIMEOUT)


def test_awaited_asks_fail_too(put: Put) -> None:
    depot = put(Depot)

    async def main() -> None:
        with pytest.raises(ActorDeadError, match="SIGKILL"):
            await asyncio.wait_for(depot.die(), TIMEOUT)

    asyncio.run(main())


def test_the_ref_goes_on_in_another_worker(put: Put) -> None:
    depot = put(Depot, "start", name="n")
    depot.put("lost").result(TIMEOUT)
    pid = kill(depot)
    assert depot.take().result(TIMEOUT) == "start"
    assert depot.pid().result(TIMEOUT) != pid
    assert depot.is_alive and depot.name == "n"


def test_refs_in_other_processes_go_on_as_well(put: Put) -> None:
    depot, friend = put(Depot), put(Friend)
    assert friend.ask_it(depot, "add", 1).result(TIMEOUT) == 1
    pid = kill(depot)
    while isinstance(friend.ask_it(depot, "pid").exception(TIMEOUT), ActorDeadError):
        pass  # it may hear of that a little later
    assert friend.ask_it(depot, "add", 1).result(TIMEOUT) == 1  # a new object
    assert friend.ask_it(depot, "pid").result(TIMEOUT) != pid


@pytest.mark.parametrize("method", ["ask_it", "await_it"])
def test_an_ask_from_where_the_death_was_not_noticed_goes_to_the_new_place(
    put: Put, method: str
) -> None:
    depot, friend = put(Depot), put(Friend)
    assert friend.ask(method, depot, "add", 1).result(TIMEOUT) == 1
    kill(depot)
    assert depot.add(1).result(TIMEOUT) == 1  # it is there again
    assert friend.ask(method, depot, "add", 1).result(TIMEOUT) == 2


def test_a_tell_from_there_is_not_lost(put: Put) -> None:
    depot, friend = put(Depot), put(Friend)
    # It answers: so it has its end of the pipe between them. The kernel closes an end that is still
    # on its way to a process when it gets to that, which may be after the process has ended.
    assert friend.ask("ask_it", depot, "add", 1).result(TIMEOUT) == 1
    kill(depot)
    assert depot.add(1).result(TIMEOUT) == 1
    friend.tell_it(depot, "add", 1).result(TIMEOUT)
    deadline = time.monotonic() + TIMEOUT
    while depot.add(0).result(TIMEOUT) != 2:
        assert time.monotonic() < deadline


def test_an_actor_in_a_third_process_learns_it_at_once(put: Put) -> None:
    friend, depot = put(Friend), put(Depot)
    assert friend.pid().result(TIMEOUT) != depot.pid().result(TIMEOUT)
    for method in ("ask_it", "await_it"):
        with pytest.raises(ActorDeadError):
            friend.ask(method, depot, "die").result(TIMEOUT)


def test_all_actors_of_the_worker_are_restarted(put: Put) -> None:
    depots = [put(Depot) for _ in range(6)]
    pid = kill(depots[0])
    pids = [depot.pid().result(TIMEOUT) for depot in depots]
    assert pid not in pids


def test_without_a_supervisor_it_is_the_end(pool: ProcessPool) -> None:
    with ActorSystem() as system:
        depot, watching = system.spawn(Depot, on=pool), system.spawn(Watching)
        watching.look_at(depot).result(TIMEOUT)
        pid = kill(depot)
        while not watching.seen().result(TIMEOUT):
            pass
        down = watching.seen().result(TIMEOUT)[0]
        assert down.ref == depot and down.reason.kind == "failed"
        assert isinstance(down.reason.error, ActorDeadError) and str(pid) in str(down.reason.error)
        with pytest.raises(ActorDeadError, match=f"{pid}"):
            depot.add(1).result(TIMEOUT)


def test_a_restart_is_no_end_for_monitors(system: ActorSystem, put: Put) -> None:
    depot, watching = put(Depot), system.spawn(Watching)
    watching.look_at(depot).result(TIMEOUT)
    kill(depot)
    assert depot.add(1).result(TIMEOUT) == 1
    assert watching.seen().result(TIMEOUT) == []
    depot.stop()
    while not watching.seen().result(TIMEOUT):
        pass
    assert watching.seen().result(TIMEOUT)[0].reason.kind == "stopped"


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_exits_is_dead_too(put: Put, code: int) -> None:
    depot = put(Depot)
    with pytest.raises(ActorDeadError):
        depot.exit(code).result(TIMEOUT)
    assert depot.add(1).result(TIMEOUT) == 1


def test_dying_before_it_has_begun(put: Put) -> None:
    class_is_there = put(Depot)
    for _ in range(5):
        depot = put(Depot)
        kill(class_is_there)
        assert depot.add(1).result(TIMEOUT) == 1


def test_stop_and_kill_of_the_dead(system: ActorSystem, put: Put) -> None:
    for end in (ActorRef.stop, ActorRef.kill):
        depot = put(Depot)
        kill(depot)
        end(depot)
        with pytest.raises(ActorDeadError):
            while True:
                depot.add(1).result(TIMEOUT)


def test_handles_on_their_way_are_closed(put: Put) -> None:
    depot = put(Depot)
    near, far = create_message_pipe()
    depot.put(far).result(TIMEOUT)
    kill(depot)
    with pytest.raises(ActorDeadError):
        while True:
            depot.put(None).result(TIMEOUT)
            if near.query_signals_state().peer_closed:
                raise ActorDeadError("it is closed")
    near.close()


def test_many_senders_while_workers_die(put: Put) -> None:
    """Each ask is answered, or fails with ActorDeadError; none is left over."""
    depots = [put(Depot) for _ in range(4)]
    outcomes: list[list[BaseException | None]] = []

    def send(number: int) -> None:
        mine = []
        for turn in range(200):
            mine.append(depots[(number + turn) % 4].add(1).exception(TIMEOUT))
        outcomes.append(mine)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        depots[turn % 4].die().exception(TIMEOUT)
    for thread in threads:
        thread.join(TIMEOUT * 2)
    assert len(outcomes) == 3
    assert {type(each) for mine in outcomes for each in mine} <= {type(None), ActorDeadError}
    assert [depot.add(0).result(TIMEOUT) >= 0 for depot in depots] == [True] * 4
