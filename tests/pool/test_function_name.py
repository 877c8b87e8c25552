"""Functions in tasks' messages by their names: as if they had been pickled, but cheaper."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import replaced

from mojo_seq import ProcessPool
from mojo_seq.pool.function_name import FunctionFinder, FunctionNamer

TIMEOUT = 30.0


@pytest.fixture
def namer() -> FunctionNamer:
    return FunctionNamer()


@pytest.mark.parametrize("fn", [replaced.first, os.getpid, math.sqrt, abs, os.path.join])
def test_what_is_found_where_it_says_has_a_name(
    namer: FunctionNamer, fn: Callable[..., object]
) -> None:
    for _ in range(2):
        name = namer.name_of(fn)
        assert name is not None
        assert FunctionFinder().find(name) is fn


@pytest.mark.parametrize(
    "fn",
    [
        replaced.make(),
        replaced.Methods.static,
        replaced.Methods,
        partial(abs, -1),
        [].append,
        lambda: None,
        "text".upper,
    ],
)
def test_all_else_is_for_pickle(namer: FunctionNamer, fn: Callable[..., object]) -> None:
    assert namer.name_of(fn) is None


def test_functions_take_turns(namer: FunctionNamer) -> None:
    finder = FunctionFinder()
    for fn in (abs, os.getpid, replaced.first) * 3:
        name = namer.name_of(fn)
        assert name is not None
        assert finder.find(name) is fn


def test_it_is_looked_for_each_time(namer: FunctionNamer, monkeypatch: pytest.MonkeyPatch) -> None:
    function = replaced.first
    finder = FunctionFinder()
    name = namer.name_of(function)
    assert name is not None and finder.find(name) is function
    monkeypatch.setattr(replaced, "first", replaced.make())
    assert namer.name_of(function) is None
    assert finder.find(name) is replaced.first
    monkeypatch.delattr(replaced, "first")
    assert namer.name_of(function) is None
    with pytest.raises(AttributeError, match="first"):
        finder.find(name)


def test_a_module_without_it_may_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a __getattr__ of its own; what pickle does, too."""
    module: Any = ModuleType("made_for_test")
    module.__getattr__ = {"made": abs}.__getitem__
    monkeypatch.setitem(sys.modules, "made_for_test", module)
    assert FunctionFinder().find(b"made_for_test\0made") is abs


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError):
        FunctionFinder().find(b"no_such_module\0fn")


@pytest.fixture
def one() -> Iterator[ProcessPool]:
    with ProcessPool(1) as made:
        yield made


def test_the_worker_imports_what_it_needs(one: ProcessPool) -> None:
    assert one.submit(replaced.first).result(TIMEOUT) == "first"


def test_a_function_that_was_replaced_here_is_still_itself(
    one: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = replaced.first
    assert one.submit(function).result(TIMEOUT) == "first"
    monkeypatch.setattr(replaced, "first", replaced.changed)
    assert one.submit(function).result(TIMEOUT) == "first"  # by value, as pickle refuses it


def test_a_function_that_was_replaced_there_is_what_is_called(one: ProcessPool) -> None:
    assert one.submit(replaced.changed).result(TIMEOUT) == "before"
    one.submit(replaced.change).result(TIMEOUT)
    assert one.submit(replaced.changed).result(TIMEOUT) == "after"


def test_a_function_that_is_not_there_any_more_fails_its_task(one: ProcessPool) -> None:
    one.submit(replaced.remove).result(TIMEOUT)
    with pytest.raises(AttributeError, match="first"):
        one.submit(replaced.first).result(TIMEOUT)
    assert one.submit(abs, -1).result(TIMEOUT) == 1
