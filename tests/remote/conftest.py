"""Fixtures of the tests between processes: children that do what they are told; nothing is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# Children import their functions by name, and the package has the same name on both sides.
sys.path.insert(0, str(Path(__file__).parent))
# In the children numpy's threads would be counted as left behind by whatever imported it.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from puppets import Puppet
from puppets.leftovers import holdings, more_than, warm_up

from mojo_seq import (
    DataPipe,
    Handle,
    MessagePipe,
    create_data_pipe,
    create_message_pipe,
)


@pytest.fixture(scope="session", autouse=True)
def one_of_each_kind() -> None:
    """Before anything is counted: the I/O thread and its like are there, once and for all."""
    warm_up()


@pytest.fixture(autouse=True)
def nothing_left_between_processes(
    request: pytest.FixtureRequest, one_of_each_kind: None
) -> Iterator[None]:
    """After each test: no native thread, mapping or child process either."""
    before = holdings()
    yield
    request.node.funcargs.clear()  # pytest keeps a test's arguments longer than the test
    left = more_than(before)
    assert not left, f"left behind: {left}"


@pytest.fixture
def closing(nothing_left_between_processes: None) -> Iterator[list[Handle]]:
    """A list; every handle put in it is closed when the test is over, last one first."""
    handles: list[Handle] = []
    yield handles
    while handles:
        handles.pop().close()


@pytest.fixture
def puppets(nothing_left_between_processes: None) -> Iterator[Callable[[], Puppet]]:
    """Starts child processes. At the end of the test each must have nothing left of it."""
    with ExitStack() as stack:

        def make() -> Puppet:
            made = Puppet()
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def child(puppets: Callable[[], Puppet]) -> Puppet:
    """One child process."""
    return puppets()


@pytest.fixture
def message_pipes(closing: list[Handle]) -> Callable[[], MessagePipe]:
    """Makes message pipes and closes them at the end of the test."""

    def make() -> MessagePipe:
        pipe = create_message_pipe()
        closing.extend(pipe)
        return pipe

    return make


@pytest.fixture
def data_pipes(closing: list[Handle]) -> Callable[..., DataPipe]:
    """Makes data pipes and closes them at the end of the test."""

    def make(capacity: int = 8, element_size: int = 1) -> DataPipe:
        pipe = create_data_pipe(capacity, element_size)
        closing.extend(pipe)
        return pipe

    return make
