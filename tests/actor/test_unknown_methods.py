"""A method that does not exist fails at the call, with the list of those that do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT
from troupe.basic import Counter
from troupe.fixtures import Spawn
from troupe.namesakes import Namesakes
from troupe.odd_methods import OddMethods

from mojo_seq import Actor

NO_MESSAGES = [
    *("_private", "attribute", "computed", "Inner", "__init__"),  # of the class
    *("on_start", "on_stop", "spawn", "watch", "supervisor"),  # of all actors
]


def test_an_unknown_method_lists_the_methods(spawn: Spawn) -> None:
    counter: Any = spawn(Counter)
    calls: list[Callable[[], object]] = [
        lambda: counter.subtract(1),
        lambda: counter.subtract.tell(1),
        lambda: counter.ask("subtract", 1),
        lambda: counter.tell("subtract", 1),
        lambda: counter.ask(OddMethods.inherited),
    ]
    for call in calls:
        with pytest.raises(AttributeError) as caught:
            call()
        assert "Counter" in str(caught.value)
        assert "add, add_async, get" in str(caught.value)
    assert counter.get().result(TIMEOUT) == 0, "nothing was sent"


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_message_cannot_be_called(spawn: Spawn, name: str) -> None:
    odd: Any = spawn(OddMethods)
    with pytest.raises(AttributeError, match="static"):
        odd.ask(name)
    with pytest.raises(AttributeError, match="static"):
        odd.tell(name)


@pytest.mark.parametrize("name", ["_private", "attribute", "n", "spawn", "supervisor", "_cell"])
def test_what_is_no_message_is_no_attribute(spawn: Spawn, name: str) -> None:
    assert not hasattr(spawn(OddMethods), name)


def test_an_actor_without_methods_says_so(spawn: Spawn) -> None:
    ref: Any = spawn(Actor)
    with pytest.raises(AttributeError, match="none"):
        ref.anything()


def test_methods_named_as_the_refs_own_are_asked_by_name(spawn: Spawn) -> None:
    # A ref's own attributes win; the message is sent by name.
    ref = spawn(Namesakes, name="namesakes")
    for name in ("stop", "kill", "name", "is_alive", "ask", "tell", "actor_class"):
        assert ref.ask(name).result(TIMEOUT) == f"message {name}"
    assert ref.name == "namesakes"
    assert ref.ask(Namesakes.stop).result(TIMEOUT) == "message stop"
    assert ref.is_alive


def test_neither_a_name_nor_a_function_is_a_type_error(spawn: Spawn) -> None:
    counter: Any = spawn(Counter)
    for method in (None, 3, b"add", object()):
        with pytest.raises(TypeError):
            counter.ask(method)
        with pytest.raises(TypeError):
            counter.tell(method)


def test_attributes_of_refs_cannot_be_set(spawn: Spawn) -> None:
    counter: Any = spawn(Counter)
    for name in ("n", "add", "anything", "name"):
        with pytest.raises(AttributeError):
            setattr(counter, name, 1)
