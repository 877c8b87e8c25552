"""Ask cycles raise AskCycleError at once, with the chain (public contract §11)."""

from __future__ import annotations

import itertools

import pytest
from troupe import TIMEOUT
from troupe.fixtures import Spawn
from troupe.rings import Link

from mojo_seq import ActorRef, ActorSystem, AskCycleError, MojoError, Result

WAITS = ["ask_along", "await_along"]


def links(spawn: Spawn, count: int) -> list[ActorRef[Link]]:
    return [spawn(Link, str(number), name=f"link {number}") for number in range(count)]


@pytest.mark.parametrize("method", ["block_on_own", "exception_of_own", "timeout_of_own"])
def test_blocking_on_ones_own_reply(spawn: Spawn, method: str) -> None:
    # Issue: blocking on a Reply from the actor's own sequence raises at once.
    (link,) = links(spawn, 1)
    with pytest.raises(AskCycleError) as caught:
        link.ask(method).result(TIMEOUT)
    assert caught.value.chain == (link, link)
    assert link.answer().result(TIMEOUT) == "0"


def test_awaiting_ones_own_reply(spawn: Spawn) -> None:
    (link,) = links(spawn, 1)
    with pytest.raises(AskCycleError) as caught:
        link.await_own().result(TIMEOUT)
    assert caught.value.chain == (link, link)
    assert link.answer().result(TIMEOUT) == "0"


@pytest.mark.parametrize("methods", list(itertools.product(WAITS, repeat=2)))
def test_two(spawn: Spawn, methods: tuple[str, str]) -> None:
    a, b = links(spawn, 2)
    with pytest.raises(AskCycleError) as caught:
        a.ask(methods[0], [(b, methods[1]), (a, "ask_along")]).result(TIMEOUT)
    chain = caught.value.chain
    assert chain[0] == chain[-1]
    assert chain in ((a, b, a), (b, a, b))
    for link in (a, b):
        assert link.answer().result(TIMEOUT) == link.name.removeprefix("link ")  # type: ignore[union-attr]


@pytest.mark.parametrize("methods", list(itertools.product(WAITS, repeat=3)))
def test_three(spawn: Spawn, methods: tuple[str, str, str]) -> None:
    a, b, c = links(spawn, 3)
    row = [(b, methods[1]), (c, methods[2]), (a, "ask_along")]
    with pytest.raises(AskCycleError) as caught:
        a.ask(methods[0], row).result(TIMEOUT)
    chain = caught.value.chain
    assert chain[0] == chain[-1]
    assert set(chain) == {a, b, c}
    assert len(chain) == 4
    following = {a: b, b: c, c: a}
    assert all(following[left] == right for left, right in itertools.pairwise(chain))


@pytest.mark.parametrize("length", [5, 12])
def test_long_cycles(spawn: Spawn, length: int) -> None:
    ring = links(spawn, length)
    row = [(link, WAITS[number % 2]) for number, link in enumerate([*ring[1:], ring[0]])]
    with pytest.raises(AskCycleError) as caught:
        ring[0].ask_along(row).result(TIMEOUT)
    assert set(caught.value.chain) == set(ring)


def test_a_cycle_in_the_middle(spawn: Spawn) -> None:
    # d asks a, a asks b, b asks a: d is not part of the cycle, but gets the error.
    a, b, d = links(spawn, 3)
    with pytest.raises(AskCycleError) as caught:
        d.ask_along([(a, "ask_along"), (b, "ask_along"), (a, "ask_along")]).result(TIMEOUT)
    assert set(caught.value.chain) == {a, b}


def test_the_actor_in_the_cycle_may_catch_it_and_go_on(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    # It is raised in the one that would be the last to wait: either.
    chain = a.catch_along([(b, "catch_along"), (a, "ask_along")]).result(TIMEOUT)
    assert set(chain) == {a, b}
    assert a.answer().result(TIMEOUT) == "0"


def test_the_error(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    error = a.ask_along([(b, "ask_along"), (a, "ask_along")]).exception(TIMEOUT)
    assert isinstance(error, MojoError)
    assert isinstance(error, AskCycleError)
    assert error.result is Result.FAILED_PRECONDITION
    assert "link 0" in str(error)
    assert "link 1" in str(error)


def test_cycles_that_close_while_all_are_waiting(spawn: Spawn) -> None:
    # Each asks its neighbour at the same time; at least one of them has to give in.
    for _ in range(20):
        ring = [spawn(Link, str(number)) for number in range(3)]
        neighbours = ring[1:] + ring[:1]
        replies = [
            link.ask_along([(neighbour, "ask_along")])
            for link, neighbour in zip(ring, neighbours, strict=True)
        ]
        outcomes = [reply.exception(TIMEOUT) for reply in replies]
        assert {type(outcome) for outcome in outcomes} <= {type(None), AskCycleError}


def test_actors_that_share_a_sequence_cannot_wait_for_one_another(system: ActorSystem) -> None:
    # Issue: blocking on a Reply from the actor's own sequence raises at once.
    from mojo_seq import ThreadPool

    with ThreadPool(2) as pool:
        runner = pool.create_sequenced_task_runner()
        a, b = (system.spawn(Link, label, on=runner) for label in "ab")
        with pytest.raises(AskCycleError) as caught:
            a.ask_along([(b, "ask_along")]).result(TIMEOUT)
        assert caught.value.chain == (a, b)
        assert a.await_along([(b, "await_along")]).result(TIMEOUT) == "b", "awaiting is legal"
        system.shutdown(TIMEOUT)


def test_a_task_of_an_actors_sequence_cannot_wait_for_it(system: ActorSystem) -> None:
    from mojo_seq import ThreadPool

    with ThreadPool(2) as pool:
        runner = pool.create_sequenced_task_runner()
        link = system.spawn(Link, "a", on=runner)
        future = runner.submit(lambda: link.answer().result(TIMEOUT))
        with pytest.raises(AskCycleError):
            future.result(TIMEOUT)
        assert link.answer().result(TIMEOUT) == "a"
        system.shutdown(TIMEOUT)


def test_a_coroutine_on_the_actors_loop_cannot_block_on_it(system: ActorSystem) -> None:
    import asyncio

    from mojo_seq import AsyncioTaskRunner

    async def main() -> None:
        async with ActorSystem(1) as inner:
            link = inner.spawn(Link, "a", on=AsyncioTaskRunner())
            assert await link.answer() == "a"
            with pytest.raises(AskCycleError):
                link.answer().result(TIMEOUT)

    asyncio.run(main())
