"""Fixtures of the system-layer tests: pipes that are closed for you, and a Python to crash in.

The factories close what they made at the end of the test, so that a test can say what it is about
and leave the tidying to them. Closing is idempotent: sent or closed handles do not mind.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

from mojo_seq import (
    DataPipe,
    Handle,
    MessagePipe,
    SharedBufferHandle,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
)

# Shorter than the global test timeout, so that a hang reports what the child had printed.
CHILD_TIMEOUT = 200.0


@pytest.fixture
def closing() -> Iterator[list[Handle]]:
    """A list; every handle put in it is closed when the test is over, last one first."""
    handles: list[Handle] = []
    yield handles
    while handles:
        handles.pop().close()


@pytest.fixture
def message_pipes(closing: list[Handle]) -> Callable[[], MessagePipe]:
    """Makes message pipes and closes them at the end of the test."""

    def make() -> MessagePipe:
        pipe = create_message_pipe()
        closing.extend(pipe)
        return pipe

    return make


@pytest.fixture
def pipe(message_pipes: Callable[[], MessagePipe]) -> MessagePipe:
    """One message pipe, closed at the end of the test."""
    return message_pipes()


@pytest.fixture
def data_pipes(closing: list[Handle]) -> Callable[..., DataPipe]:
    """Makes data pipes and closes them at the end of the test."""

    def make(capacity: int = 8, element_size: int = 1) -> DataPipe:
        pipe = create_data_pipe(capacity, element_size)
        closing.extend(pipe)
        return pipe

    return make


@pytest.fixture
def shared_buffers(closing: list[Handle]) -> Callable[[int], SharedBufferHandle]:
    """Makes shared buffers and closes their handles at the end of the test."""

    def make(nbytes: int) -> SharedBufferHandle:
        buffer = create_shared_buffer(nbytes)
        closing.append(buffer)
        return buffer

    return make


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs source text in a fresh interpreter; a crash shows up as a negative exit code."""

    def run(
        source: str, *options: str, arguments: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *options, "-X", "faulthandler"]
        command += ["-c", textwrap.dedent(source), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=CHILD_TIMEOUT, check=False
        )

    return run
