"""Context variables travel with messages, in one process (public contract §8, §11)."""

from __future__ import annotations

import asyncio
import contextvars

from troupe import TIMEOUT, Journal
from troupe.coroutines import Coroutines, language
from troupe.fixtures import Spawn


def test_a_method_sees_the_askers_context(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    token = language.set("greek")
    assert actor.speak().result(TIMEOUT) == "greek"
    language.reset(token)
    assert actor.speak().result(TIMEOUT) == "none"


def test_an_async_method_keeps_it_over_an_await(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    token = language.set("latin")
    reply = actor.speak_async()
    language.reset(token)
    assert reply.result(TIMEOUT) == ("latin", "latin")


def test_it_is_that_of_the_call(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    method = actor.speak
    contexts = [contextvars.copy_context() for _ in range(3)]
    for number, context in enumerate(contexts):
        context.run(language.set, str(number))
    replies = [context.run(method) for context in contexts]
    assert [reply.result(TIMEOUT) for reply in replies] == ["0", "1", "2"]


def test_what_a_method_sets_stays_with_its_message(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    actor.learn("dutch").result(TIMEOUT)
    assert actor.speak().result(TIMEOUT) == "none"
    assert language.get() == "none"


def test_it_goes_on_to_those_that_are_asked_in_turn(spawn_here: Spawn, journal: Journal) -> None:
    one, other = spawn_here(Coroutines, journal.ref), spawn_here(Coroutines, journal.ref)
    token = language.set("welsh")
    reply = one.ask_to_speak(other)
    language.reset(token)
    assert reply.result(TIMEOUT) == "welsh"


def test_a_timer_has_the_context_of_who_set_it(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    token = language.set("irish")
    actor.speak_later.tell()
    language.reset(token)
    assert journal.next() == "irish"


def test_tells_carry_it_too(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)
    token = language.set("basque")
    actor.speak_later.tell()
    language.set("other")
    language.reset(token)
    assert journal.next() == "basque"


def test_awaiting_under_asyncio(spawn_here: Spawn, journal: Journal) -> None:
    actor = spawn_here(Coroutines, journal.ref)

    async def ask(what: str) -> str:
        language.set(what)
        await asyncio.sleep(0)
        spoken: str = await actor.speak()
        return spoken

    async def main() -> list[str]:
        return await asyncio.gather(*map(ask, "abc"))

    assert asyncio.run(main()) == ["a", "b", "c"]
    assert language.get() == "none"
